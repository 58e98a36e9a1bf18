//! What a configuration serves and what is off, in words for people.

use super::{Allowed, Config, GatewayConfig};

/// One line each: the XMPP server's domain, the database, every gateway, and what is off.
/// Holds no secret.
pub fn summary(config: &Config) -> String {
    let mut lines = vec![
        format!("server_domain: {}", config.server_domain),
        format!("store: {}", config.store.path.display()),
    ];
    lines.extend(config.gateways.iter().map(gateway));
    lines.extend(off(config));
    lines.push(String::new());
    lines.join("\n")
}

fn gateway(gateway: &GatewayConfig) -> String {
    let allow: Vec<&str> = gateway.allow.iter().map(Allowed::as_str).collect();
    let component = &gateway.component;
    format!(
        "gateway.{}: {} serves {} through {}:{}, allowed: {}",
        gateway.name,
        gateway.kind,
        gateway.domain,
        component.host,
        component.port,
        if allow.is_empty() {
            "admins only".to_owned()
        } else {
            allow.join(", ")
        },
    )
}

fn off(config: &Config) -> Vec<String> {
    let mut off = Vec::new();
    if config.metrics.is_none() {
        off.push("off: figures and health by HTTP (no metrics.listen)".to_owned());
    }
    if config.attachments.server.is_none() {
        off.push("off: our own file server (no attachments.listen)".to_owned());
    }
    for gateway in &config.gateways {
        if gateway.component.tls.is_none() {
            off.push(format!(
                "off: TLS to the XMPP server for gateway.{}",
                gateway.name
            ));
        }
        if !gateway.archive {
            off.push(format!("off: the archive of gateway.{}", gateway.name));
        }
        if gateway.admins.is_empty() {
            off.push(format!(
                "off: administration of gateway.{} (no admins)",
                gateway.name
            ));
        }
    }
    off
}
