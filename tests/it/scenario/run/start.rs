//! Starts the product of a scenario, and starts it again.

use super::*;

impl Run {
    pub(super) async fn start(&mut self, kind: &str, settings: &str) -> Result<(), Fault> {
        let gateway = self.gateway(kind, settings)?;
        self.domain = format!("{kind}.example.org");
        self.stopped().await?;
        let shared = self.shared()?;
        let (dial, mut ends) = wire::Component::new();
        let allow = BareJid::parse("example.org").map_err(|it| fault(it.to_string()))?;
        let admin = BareJid::parse("admin@example.org").map_err(|it| fault(it.to_string()))?;
        let service = Service {
            gateway,
            component: ComponentConfig::new(&self.domain, "localhost", 5347, "secret"),
            access: Access::new(&[allow], &[admin]),
            dial: Some(dial),
        };
        shared.learn_languages(&self.domain).await;
        let served = Served::start(service, &shared);
        tokio::spawn(operator::ends_when_asked(Arc::clone(served.domain())));
        self.served = Some(served);
        let end = ends
            .recv()
            .await
            .ok_or_else(|| fault("the component does not connect"))?;
        let (to_gateway, out) = mpsc::unbounded_channel();
        let (stanzas, from_gateway) = mpsc::unbounded_channel();
        tokio::spawn(wire::serve(end, out, stanzas));
        self.to_gateway = to_gateway;
        self.from_gateway = Some(from_gateway);
        let domain = self.domain.clone();
        self.ask("nobody@example.org", &domain).await
    }

    fn gateway(&mut self, kind: &str, settings: &str) -> Result<Arc<dyn Gateway>, Fault> {
        let mut settings: serde_json::Value =
            serde_json::from_str(settings).map_err(|it| fault(it.to_string()))?;
        match kind {
            "loopback" => {
                let config =
                    serde_json::from_value(settings).map_err(|it| fault(it.to_string()))?;
                let loopback = Loopback::new(config);
                self.control = Some(loopback.control());
                Ok(Arc::new(loopback))
            }
            "irc" => {
                for (key, value) in irc_defaults() {
                    if settings.get(&key).is_none() {
                        settings[&key] = value;
                    }
                }
                let config = isthmus_irc::Config::from_value(&settings)
                    .map_err(|problems| fault(format!("{problems:?}")))?;
                let (ask, attempts) = mpsc::unbounded_channel();
                self.attempts.push(("irc", attempts));
                Ok(Arc::new(isthmus_irc::Irc::new(
                    config,
                    Arc::new(wire::Irc(ask)),
                )))
            }
            _ => Err(fault(format!("{kind}: there is no such gateway"))),
        }
    }

    /// Waits until what ran before has ended.
    async fn stopped(&mut self) -> Result<(), Fault> {
        let Some(stopping) = self.stopping.take() else {
            return Ok(());
        };
        // Some of it waits for answers that nobody gives here.
        let begun = std::time::Instant::now();
        while !stopping.is_finished() {
            if begun.elapsed() > PATIENCE {
                return Err(fault("it does not stop"));
            }
            tokio::time::advance(Duration::from_millis(100)).await;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn public(&self) -> Public {
        let contacts = [("admin", vec!["xmpp:admin@example.org".to_owned()])];
        let mut public = Public {
            contacts: contacts.into(),
            ..Public::default()
        };
        if self.face {
            let (title, picture) = ("The loop".to_owned(), Picture(FACE.into()));
            public.titles.insert(self.domain.clone(), title);
            public.avatars.insert(self.domain.clone(), picture);
        }
        public
    }

    /// What all services share, as the scenario set it.
    fn shared(&mut self) -> Result<Arc<Shared>, Fault> {
        let store = self.open_store()?;
        let public = self.public();
        let mut shared = Shared::new(Arc::clone(&store), self.limits.clone())
            .with_public(public)
            .with_language(self.language)
            .with_corrections(self.corrections)
            .with_reload(Arc::new(operator::Rereads::default()));
        if let (Some(files), Some(dir)) = (self.files.take(), &self._dir) {
            let attachments = Attachments::open(dir.path(), &*store);
            let attachments = attachments.map_err(|it| fault(it.to_string()))?;
            let (ask, attempts) = mpsc::unbounded_channel();
            self.attempts.push(("web", attempts));
            let files = Files::over(files, Arc::new(wire::Irc(ask))).with_trust(wire::trust());
            shared = shared.with_attachments(attachments).with_files(files);
        }
        let shared = Arc::new(shared);
        if self.persistent {
            shared.set_staying(vec![self.domain.clone()]);
        }
        if self.show_avatar {
            shared.set_showing(vec![self.domain.clone()]);
        }
        if !self.archive {
            shared.set_archiving(Archiving {
                off: vec![self.domain.clone()],
                ..Archiving::default()
            });
        }
        Ok(shared)
    }

    /// What is on disk; nothing at first.
    fn open_store(&mut self) -> Result<Arc<dyn Store>, Fault> {
        if let Some(store) = &self.store {
            return Ok(Arc::clone(store));
        }
        // The store waits for the disk at every commit: where there is a disk in memory, use that.
        let memory = std::path::Path::new("/dev/shm");
        let dir = match memory.is_dir() {
            true => TempDir::new_in(memory),
            false => TempDir::new(),
        };
        let dir = dir.map_err(|it| fault(it.to_string()))?;
        let store = SqliteStore::open(&dir.path().join("isthmus.sqlite"))
            .map_err(|it| fault(it.to_string()))?;
        self._dir = Some(dir);
        let store: Arc<dyn Store> = Arc::new(store);
        self.store = Some(Arc::clone(&store));
        Ok(store)
    }
}

/// What scenarios of IRC take for granted: a network called `net`, no encryption, no throttle.
fn irc_defaults() -> [(String, serde_json::Value); 3] {
    let net = serde_json::json!({ "net": { "hosts": ["irc.net.example"], "tls": "off" } });
    [
        ("networks".to_owned(), net),
        ("throttle_burst".to_owned(), 1000.into()),
        ("hosts".to_owned(), "named".into()),
    ]
}
