//! The store-and-forward face: jobs go to the plugin, its reports to the host.

use std::sync::Arc;
use std::time::Instant;

use isthmus_gateway::{
    Address, Courier, Fault, FaultKind, Job, JobId, Key, Kind, Later, Preview, Uplink, User, words,
};

use crate::Exec;

impl Courier for Exec {
    /// Rooms are live whatever the plugin does with messages to contacts.
    fn serves(&self, to: &Address) -> bool {
        to.kind != Kind::Room
    }

    /// One lane per recipient.
    fn lane(&self, job: &Job<'_>) -> String {
        job.to.first().map_or_else(String::new, |to| {
            format!("{}%{}", to.id.to_lowercase(), to.network)
        })
    }

    /// The plugin is not asked: its templates say whether the recipients can be written to.
    fn preview(&self, job: &Job<'_>) -> Result<Preview, Fault> {
        for to in &job.to {
            let known = matches!(to.kind, Kind::Contact | Kind::Room);
            if !known || self.hello.templates.format(to).is_err() {
                let id = &to.id;
                let text = words!("nobody here is called {id}", "此处没有名为 {id} 的人");
                return Err(Fault::new(FaultKind::BadAddress, text));
            }
        }
        Ok(Preview {
            parts: 1,
            encoding: "utf-8".into(),
            price: None,
        })
    }

    /// The plugin's requests go through the uplink of `Gateway::start`; this one serves where that
    /// has not been called yet.
    fn submit(&self, job: Job<'static>, up: Arc<dyn Uplink>) {
        if self.hub.uplink().is_none() {
            self.hub.connect(up);
        }
        let now = Instant::now();
        self.hub.with(|machine| machine.submit(&job, now));
    }

    /// Asks the plugin, unless some copy is on its way already.
    fn recall(&self, job: JobId) -> Later<bool> {
        let hub = Arc::clone(&self.hub);
        let asked = hub.with(|machine| {
            let params = serde_json::json!({ "job": job });
            let waits = machine.can_recall(job);
            waits.then(|| machine.call("recall", &params, Instant::now()))
        });
        Box::pin(async move {
            let Some(Ok(answer)) = asked else {
                return false;
            };
            let recalled = matches!(answer.await, Ok(Ok(answer)) if answer == "true");
            if recalled {
                hub.with(|machine| machine.recalled(job));
            }
            recalled
        })
    }

    /// Told to a plugin that runs; to one that is down, nothing.
    fn undeliverable(
        &self,
        user: User,
        peer: &Address,
        key: Key<'static>,
        fault: Fault,
        _up: Arc<dyn Uplink>,
    ) {
        let params = serde_json::json!({ "user": user, "peer": peer, "key": key, "fault": fault });
        self.hub.with(|machine| machine.undeliverable(&params));
    }

    /// The same.
    fn read(&self, user: User, peer: &Address, key: Key<'static>, _up: Arc<dyn Uplink>) {
        let params = serde_json::json!({ "user": user, "peer": peer, "key": key });
        self.hub.with(|machine| machine.read(&params));
    }
}
