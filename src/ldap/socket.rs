//! Opens the TCP connection: each resolved address in turn, with keepalive and time limits.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// After this long without an acknowledgement the kernel gives a connection up: as long as keepalive takes
/// to notice a dead peer (30 s idle, then three probes 10 s apart).
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

/// Resolves a host and connects to the first address that answers. `permitted` refuses addresses, with the reason.
pub async fn connect(
    host: &str,
    port: u16,
    limit: Duration,
    permitted: impl Fn(&SocketAddr) -> Result<(), String>,
) -> Result<TcpStream, String> {
    let addresses = timeout(limit, tokio::net::lookup_host((host, port)))
        .await
        .map_err(|_| format!("the name was not resolved within {} s", limit.as_secs()))?
        .map_err(|error| format!("the name cannot be resolved: {error}"))?;
    let mut causes = Vec::new();
    for address in addresses {
        permitted(&address)?;
        match timeout(limit, connect_to(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => causes.push(format!("{address}: {error}")),
            Err(_) => causes.push(format!("{address}: no connection within {} s", limit.as_secs())),
        }
    }
    Err(if causes.is_empty() { "the name has no address".to_owned() } else { causes.join(", ") })
}

async fn connect_to(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10)).with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    TcpSocket::from_std_stream(socket.into()).connect(address).await
}
