//! What a gateway says of itself: its name, and who runs it and what becomes of its users' data, in
//! forms in the answer to disco#info at its domain.
//!
//! XEP-0157 1.1.1 (addresses for contact) and XEP-0504 0.1.0 (data policy). Not here: where the
//! data is (XEP-0080), backups and terms, which only the operator knows.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use isthmus_gateway::{Gateway, Manifest, Picture};

use super::desk::registers;
use super::shared::Shared;
use crate::host::words::Notice;
use crate::xmpp::ns;
use crate::xmpp::write::Xml;

/// What the operator says of himself and his gateways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Public {
    /// Addresses (URIs) by what they are for: `abuse`, `admin`, as XEP-0157 §5.1 names them.
    pub contacts: BTreeMap<&'static str, Vec<String>>,
    /// How the gateway of a domain passes data on, where it is known.
    pub transmission: HashMap<String, Transmission>,
    /// What the gateway of a domain is called, where that is not its own name.
    pub titles: HashMap<String, String>,
    /// How the gateway of a domain looks.
    pub avatars: HashMap<String, Picture<'static>>,
}

/// How data gets to the foreign network (XEP-0504 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmission {
    /// For everybody on the way to read.
    Plain,
    /// Encrypted on each way.
    Encrypted,
    /// Encrypted for nobody but the recipient.
    EndToEnd,
}

/// One form of service discovery (XEP-0128).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Its `FORM_TYPE`.
    pub(crate) about: String,
    /// Its fields.
    pub(crate) fields: Vec<FormField>,
}

/// One field of such a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormField {
    pub(crate) var: String,
    pub(crate) kind: &'static str,
    pub(crate) values: Vec<String>,
}

impl Form {
    pub(crate) fn new(about: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            fields: Vec::new(),
        }
    }

    pub(crate) fn put(
        &mut self,
        var: impl Into<String>,
        kind: &'static str,
        values: &[impl ToString],
    ) {
        self.fields.push(FormField {
            var: var.into(),
            kind,
            values: values.iter().map(ToString::to_string).collect(),
        });
    }

    /// Writes it as a form of type `result`.
    pub(crate) fn write(&self, xml: &mut Xml<'_>) {
        xml.start_ns("x", ns::DATA_FORMS).attr("type", "result");
        xml.start("field")
            .attr("var", "FORM_TYPE")
            .attr("type", "hidden");
        xml.text_element("value", &self.about).end();
        for FormField { var, kind, values } in &self.fields {
            xml.start("field").attr("var", var);
            if !kind.is_empty() {
                xml.attr("type", kind);
            }
            for value in values {
                xml.text_element("value", value);
            }
            xml.end();
        }
        xml.end();
    }
}

/// What the gateway that serves this domain is called.
pub(crate) fn name(gateway: &dyn Gateway, shared: &Shared, domain: &str) -> String {
    let manifest = gateway.manifest();
    let own = manifest.identities.first().map(|identity| &identity.name);
    let title = shared.public().titles.get(domain);
    title.or(own).unwrap_or(&manifest.name).clone()
}

/// The forms of the gateway that serves this domain.
pub(crate) fn forms(gateway: &dyn Gateway, shared: &Shared, domain: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    forms.extend(contacts(shared.public()));
    forms.push(policy(gateway, shared, domain));
    let identities = gateway.manifest().identities.iter();
    for network in identities.filter(|it| it.category == "gateway") {
        // What becomes of data there is the network's to say, and it says it nowhere.
        let mut form = Form::new(format!(
            "{}:identity:gateway:{}:0",
            ns::DATA_POLICY_SCOPE,
            network.kind
        ));
        form.put("data_retention", "text-single", &["unknown"]);
        forms.push(form);
    }
    forms
}

/// XEP-0157 §3; none without addresses.
fn contacts(public: &Public) -> Option<Form> {
    let mut form = Form::new(ns::SERVERINFO);
    for (purpose, addresses) in &public.contacts {
        if !addresses.is_empty() {
            form.put(format!("{purpose}-addresses"), "list-multi", addresses);
        }
    }
    (!form.fields.is_empty()).then_some(form)
}

/// XEP-0504 §3: what holds for the gateway itself.
fn policy(gateway: &dyn Gateway, shared: &Shared, domain: &str) -> Form {
    let mut form = Form::new(ns::DATA_POLICY);
    let auth = match asks_secrets(gateway.manifest()) {
        true => "plain",
        false => "no_auth",
    };
    form.put("auth_data", "list-single", &[auth]);
    if let Some(transmission) = shared.public().transmission.get(domain) {
        let word = match transmission {
            Transmission::Plain => "plain",
            Transmission::Encrypted => "encrypted",
            Transmission::EndToEnd => "e2e",
        };
        form.put("data_transmission", "list-single", &[word]);
        if *transmission == Transmission::Encrypted {
            form.put("encryption_algorithm", "text-single", &["TLS"]);
        }
    }
    let limits = shared.limits();
    let archive = shared.archives(domain).then(|| shared.archiving().age);
    let queued = gateway.courier().is_some();
    let serves_files = shared
        .files()
        .is_some_and(|files| files.settings().public_url.is_some());
    let kept_files = shared.attachments().is_some() && (queued || serves_files);
    let files = kept_files.then_some(limits.attachment_age);
    let retention = retention(archive, files, queued);
    form.put("data_retention", "text-single", &[retention]);
    // By the command `archive-delete`.
    form.put("data_deletion", "boolean", &["true"]);
    // Accounts and settings are sealed, what was said is not.
    form.put("encryption_at_rest", "boolean", &["false"]);
    form.put("access_policy", "list-multi", &["admins"]);
    let erased = match registers(gateway) {
        true => "true",
        false => "false",
    };
    form.put("full_erasure", "boolean", &[erased]);
    let more = shared.language().say(Notice::Privacy);
    form.put("extra_info", "text-multi", &[more]);
    form
}

/// Whether the gateway is told passwords.
fn asks_secrets(manifest: &Manifest) -> bool {
    let settings = &manifest.settings;
    let asked = [
        &manifest.register,
        &settings.gateway,
        &settings.network,
        &settings.room,
    ];
    let mut fields = asked.into_iter().flatten();
    fields.any(|field| field.kind.is_secret())
}

/// For how long data is kept, in hours (XEP-0504 §3.3). Zero of either age is for ever.
fn retention(archive: Option<Duration>, files: Option<Duration>, queued: bool) -> String {
    let ages = [archive, files];
    let ages = ages.iter().flatten();
    if ages.clone().any(Duration::is_zero) {
        return "infinite".to_owned();
    }
    match ages.max() {
        Some(age) => age.as_secs().div_ceil(3600).to_string(),
        // A message waits until it is delivered.
        None if queued => "unknown".to_owned(),
        None => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_kept_as_long_as_the_longest_of_its_parts() {
        let days = |days: u64| Some(Duration::from_secs(86_400 * days));
        for (archive, files, queued, hours) in [
            (None, None, false, "0"),
            (None, None, true, "unknown"),
            (days(2), None, true, "48"),
            (days(2), days(3), false, "72"),
            (days(2), days(0), false, "infinite"),
            (days(0), days(1), false, "infinite"),
        ] {
            assert_eq!(retention(archive, files, queued), hours);
        }
    }

    #[test]
    fn who_can_be_written_to_is_told_by_what_for_and_silence_is_no_form() {
        let mut public = Public::default();
        public.contacts.insert("sales", Vec::new());
        assert_eq!(contacts(&public), None);
        let addresses = ["mailto:a@example.org", "xmpp:a@example.org"];
        let addresses = addresses.map(str::to_owned).to_vec();
        public.contacts.insert("abuse", addresses.clone());
        let form = contacts(&public).expect("a form");
        assert_eq!(form.about, "http://jabber.org/network/serverinfo");
        let field = FormField {
            var: "abuse-addresses".to_owned(),
            kind: "list-multi",
            values: addresses,
        };
        assert_eq!(form.fields, [field]);
    }
}
