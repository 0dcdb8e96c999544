//! In place of SASL GSSAPI in a program that was built without it.

use std::time::Duration;

/// What came of it: nothing ever does.
pub struct Answer {
    /// Result code of the last bind response.
    pub code: u32,
    /// The server's words.
    pub text: String,
}

/// Says so.
pub async fn bind<S>(_stream: &mut S, _host: &str, _principal: String, _limit: Duration) -> Result<Answer, String> {
    Err("a Kerberos bind needs a program that was built with the feature gssapi".to_owned())
}
