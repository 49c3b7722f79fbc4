//! Certificates of unknown servers.

use chat::terminal::text::visible;
use chat::tls::certificate::Facts;
use rustls::pki_types::CertificateDer;

/// Any bytes are a certificate or not, and its fields can be printed.
pub fn facts_of_any_bytes_can_be_told(bytes: &[u8]) {
    let Some(facts) = Facts::of(&CertificateDer::from(bytes)) else { return };
    for text in [&facts.subject, &facts.issuer].into_iter().chain(&facts.names) {
        visible(text);
    }
    facts.not_before.to_rfc3339();
    facts.not_after.to_rfc3339();
}
