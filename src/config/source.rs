//! A section under `sources`.

use std::time::Duration;

use crate::ldap::{self, Tracking};
use crate::model::Vendor;

use super::client_certificate::client_certificate;
use super::connection::{ca_file, clear_text, is_loopback, timeouts, url};
use super::reader::{Field, Section};
use super::secret::secret;
use super::values::{dn, each, flag, text, whole, word};

const VENDORS: &[(&str, Option<Vendor>)] = &[
    ("auto", None),
    ("active_directory", Some(Vendor::ActiveDirectory)),
    ("openldap", Some(Vendor::OpenLdap)),
    ("ds389", Some(Vendor::Ds389)),
    ("ping_directory", Some(Vendor::PingDirectory)),
    ("generic", Some(Vendor::Generic)),
];

const TRACKING: &[(&str, Tracking)] = &[
    ("auto", Tracking::Auto),
    ("full", Tracking::Full),
    ("usn", Tracking::Usn),
    ("dirsync", Tracking::DirSync),
    ("syncrepl", Tracking::Syncrepl),
    ("timestamp", Tracking::Timestamp),
];

/// Active Directory hands out at most 1000 entries a page (MaxPageSize); others rarely more.
const LARGEST_PAGE: u64 = 1000;
const PAGE: u64 = 500;
const CONNECT: Duration = Duration::from_secs(10);
const OPERATION: Duration = Duration::from_secs(60);
/// Servers and firewalls drop what is silent for longer: 2 minutes are the shortest that is common (389 DS asks for an
/// hour, Active Directory's MaxConnIdleTime is 15 minutes).
const IDLE: Duration = Duration::from_secs(60);
const MIB: usize = 1024 * 1024;
/// An entry costs several times its octets while it is read.
const LARGEST_ENTRY_MIB: u64 = 2048;

/// Reads one source.
pub(super) fn source(name: &str, field: Field<'_>) -> Option<ldap::Settings> {
    let key = field.clone();
    let section = field.section()?;
    let urls_field = section.required("urls");
    let urls = urls_field.as_ref().and_then(|field| each(field, ldap_url));
    let vendor = section.optional("vendor").and_then(|field| word(&field, VENDORS)).flatten();
    let tracking = section.optional("tracking").and_then(|field| tracking(&field, vendor)).unwrap_or(Tracking::Auto);
    let start_tls_field = section.optional("start_tls");
    let start_tls = start_tls_field.as_ref().and_then(flag).unwrap_or(false);
    let allow_cleartext = section.optional("allow_cleartext").and_then(|field| flag(&field)).unwrap_or(false);
    let ca_file = ca_file(&section);
    let page_size = section.optional("page_size").and_then(|field| whole(&field, 1, LARGEST_PAGE)).unwrap_or(PAGE);
    let in_chain_field = section.optional("in_chain");
    let in_chain = in_chain_field.as_ref().and_then(flag).unwrap_or(false);
    if let (true, Some(field)) = (in_chain && vendor.is_some_and(|vendor| vendor != Vendor::ActiveDirectory), &in_chain_field) {
        field.wrong("the matching rule in-chain is Active Directory's");
    }
    let largest_entry = section.optional("largest_entry_mib").and_then(|field| whole(&field, 1, LARGEST_ENTRY_MIB));
    let largest_entry = largest_entry.and_then(|mib| usize::try_from(mib).ok()).map(|mib| mib * MIB);
    let [connect_timeout, operation_timeout, idle_timeout] =
        timeouts(&section, [("connect", CONNECT), ("operation", OPERATION), ("idle", IDLE)]);
    let binds = section.optional("bind");
    let bind = match binds.clone() {
        Some(field) => field.section().and_then(bind),
        None => {
            let hint =
                Some("most directories, Active Directory among them, show an anonymous reader little or nothing".to_owned());
            key.reader.warning(key.finding_at_key("no bind: the directory is read anonymously").hint(hint));
            Some(ldap::Bind::Anonymous)
        }
    };
    section.finish();
    let urls = urls?;
    let encrypted = |url: &url::Url| start_tls || url.scheme() == "ldaps";
    if let (true, Some(field)) = (start_tls, &start_tls_field)
        && urls.iter().any(|url| url.scheme() == "ldaps")
    {
        field.wrong("StartTLS is for ldap:// URLs; an ldaps:// connection is encrypted already");
    }
    for (url, item) in urls.iter().zip(urls_field.iter().flat_map(Field::list)) {
        match &bind {
            Some(bind @ (ldap::Bind::External(_) | ldap::Bind::Gssapi { .. })) if !encrypted(url) => {
                let what = if matches!(bind, ldap::Bind::External(_)) { "a client certificate" } else { "a Kerberos ticket" };
                let finding = item.finding(format!("{what} is shown only on an encrypted connection"));
                item.reader.problem(finding.hint(Some("use ldaps:// or start_tls: true".to_owned())));
            }
            // Of a bind that cannot be read it is taken that there is a password in it.
            Some(ldap::Bind::Simple { .. }) | None if !encrypted(url) && !is_loopback(url) => {
                clear_text(&item, allow_cleartext, "the bind password", "ldaps:// or start_tls: true");
            }
            Some(_) | None => {}
        }
    }
    Some(ldap::Settings {
        vendor,
        start_tls,
        ca_file,
        allow_cleartext,
        in_chain,
        page_size: u32::try_from(page_size).unwrap_or(u32::MAX),
        connect_timeout,
        operation_timeout,
        tracking,
        idle_timeout,
        largest_entry: largest_entry.unwrap_or(ldap::LARGEST_ENTRY),
        ..ldap::Settings::new(name, urls, bind?)
    })
}

/// A way of telling changes that directories of the vendor may have. Where the vendor is asked for, so is the way.
fn tracking(field: &Field<'_>, vendor: Option<Vendor>) -> Option<Tracking> {
    let tracking = word(field, TRACKING)?;
    let Some(vendor) = vendor else { return Some(tracking) };
    let hint = match (tracking, vendor) {
        (Tracking::Usn | Tracking::DirSync, Vendor::OpenLdap | Vendor::Ds389) => "syncrepl or timestamp, or auto",
        (Tracking::Usn | Tracking::DirSync | Tracking::Syncrepl, Vendor::PingDirectory | Vendor::Generic) => "timestamp, or auto",
        (Tracking::Syncrepl | Tracking::Timestamp, Vendor::ActiveDirectory) => "dirsync or usn, or auto",
        (Tracking::Auto | Tracking::Full | Tracking::Timestamp, _)
        | (Tracking::Usn | Tracking::DirSync, Vendor::ActiveDirectory)
        | (Tracking::Syncrepl, Vendor::OpenLdap | Vendor::Ds389) => return Some(tracking),
    };
    let finding = field.finding(format!("the vendor {} does not tell its changes in this way", vendor.as_str()));
    field.reader.problem(finding.hint(Some(format!("take {hint}"))));
    None
}

fn ldap_url(field: &Field<'_>) -> Option<url::Url> {
    let url = url(field, &["ldaps", "ldap"])?;
    if !matches!(url.path(), "" | "/") {
        field.wrong("the URL must not hold a DN: base DNs stand in the channels");
        return None;
    }
    Some(url)
}

/// Who we are: a DN with its password, or another kind under its name.
fn bind(section: Section<'_>) -> Option<ldap::Bind> {
    let (external, gssapi) = (section.optional("external"), section.optional("gssapi"));
    if let Some(field) = external.clone().or_else(|| gssapi.clone()) {
        let alone = section.optional("dn").or_else(|| section.optional("password")).is_none();
        section.finish_discreetly();
        if !alone || external.is_some() == gssapi.is_some() {
            let hint = "a bind is dn with password, or external, or gssapi".to_owned();
            field.reader.problem(field.finding("stands alone").hint(Some(hint)).bare());
            return None;
        }
        return match external {
            Some(external) => client_certificate(external.section()?).map(ldap::Bind::External),
            None => by_ticket(&field),
        };
    }
    let name = section.required("dn").and_then(|field| bind_name(&field));
    let password = section.required("password").and_then(|field| secret(&field));
    section.finish_discreetly();
    Some(ldap::Bind::Simple { dn: name?, password: password? })
}

/// A Kerberos principal.
fn by_ticket(field: &Field<'_>) -> Option<ldap::Bind> {
    let section = field.clone().section()?;
    let name = section.required("principal");
    section.finish();
    let name = name?;
    let principal = text(&name)?.to_owned();
    if !ldap::GSSAPI {
        let hint = "build it with: cargo build --release --features gssapi".to_owned();
        field.reader.problem(field.finding("this program was built without the feature gssapi").hint(Some(hint)).bare());
        return None;
    }
    if !principal.contains('@') {
        name.wrong("is no principal with its realm, such as sync@EXAMPLE.COM");
        return None;
    }
    Some(ldap::Bind::Gssapi { principal })
}

/// A DN. Active Directory also takes a user principal name, `sync@example.com` (MS-ADTS 5.1.1.1.1).
fn bind_name(field: &Field<'_>) -> Option<String> {
    let written = text(field)?;
    let is_principal = written.contains('@') && !written.contains(['=', ' ']);
    if is_principal { Some(written.to_owned()) } else { dn(field).map(|dn| dn.as_str().to_owned()) }
}
