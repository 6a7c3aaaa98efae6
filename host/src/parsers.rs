//! Parser components: small WebAssembly components that read the responses of some provider types in place of the
//! built-in parser, replaceable while the process runs.
//!
//! A component passes these checks in this order, and the first that fails leaves in service what is there: size,
//! digest, signature; then what it states about itself: interface, version, world, imports; then compilation, what it
//! asks for, its own cases, and a trial on the last real responses. Only then it serves, by an exchange of one pointer.
//! What serves and what served before is kept on disk. One that fails three times is taken out of service by itself.
//!
//! A response that a parser does not read, for whatever reason, is read by the built-in one: no observation is lost.

mod admission;
mod book;
mod candidate;
mod check;
mod error;
mod inspection;
mod loaded;
mod manifest;
mod options;
mod policy;
mod recent;
mod sandbox;
mod serving;
mod shelf;
mod signature;
pub mod source;
mod status;
mod wasi;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use self::admission::{Admission, Authentic};
use self::book::{Book, Withdrawal};
use self::loaded::{Loaded, Unread};
use self::manifest::Manifest;
use self::serving::Serving;
use self::shelf::{Durability, Shelf, Stamp};
use crate::engine::{CodeCache, Engine, FromWit, wit};
use crate::observation::Observation;
use crate::profiles::{differences, expectation};
use crate::signal::Reading;
use crate::time::rfc3339;

pub use self::candidate::{Candidate, Difference, Digest, Install, Installed, NoDigest};
pub use self::check::BadReading;
pub use self::error::{ParserError, ParserProblem};
pub use self::inspection::{CaseOutcome, Inspection};
pub use self::manifest::INTERFACE;
pub use self::options::{Options, ParserLimits, TrustedKey};
pub use self::sandbox::Stop;
pub use self::status::{ParserState, ParserStatus};

/// The parsers of one store.
pub struct Parsers {
    engine: Arc<Engine>,
    admission: Admission,
    shelf: Shelf,
    serving: Serving,
    /// One component is admitted at a time; calls go on meanwhile.
    life: Mutex<()>,
    known: Mutex<Known>,
}

/// What the book names, as far as it is loaded.
#[derive(Default)]
struct Known {
    book: Book,
    stamp: Stamp,
    loaded: HashMap<Digest, Arc<Loaded>>,
    /// Why others are not.
    problems: HashMap<Digest, String>,
}

impl Parsers {
    /// Loads what is in service. What cannot be loaded any more is logged, and what served before serves instead.
    pub(crate) fn open(
        engine: Arc<Engine>,
        code_cache: CodeCache,
        options: Options,
    ) -> Result<Self, ParserError> {
        let folder = options.state_folder().ok_or_else(|| ParserProblem::NoFolder.of("parsers"))?;
        let parsers = Self {
            admission: Admission::new(engine.runtime().clone(), code_cache, options)?,
            engine,
            shelf: Shelf::new(folder),
            serving: Serving::default(),
            life: Mutex::default(),
            known: Mutex::default(),
        };
        parsers.refresh()?;
        Ok(parsers)
    }

    /// How parsers are admitted and run.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.admission.options
    }

    /// Is it signed by a key that is trusted, and small enough? None of its bytes is parsed.
    #[must_use]
    pub fn is_signed(&self, candidate: &Candidate) -> bool {
        candidate.signature.is_some() && self.admission.authenticate(candidate).is_ok()
    }

    /// Admits a component and puts it into service.
    ///
    /// It may take tens of milliseconds; observations go on meanwhile, read by what is there.
    ///
    /// # Errors
    /// Why it is refused. What is in service stays.
    pub fn install(&self, candidate: &Candidate, how: Install) -> Result<Installed, ParserError> {
        let installed = self.admit(candidate, how);
        match &installed {
            Ok(Installed {
                name, version, digest, unchanged: false, provider_types, differences, ..
            }) => {
                let differences = differences.len();
                tracing::info!(name, version, %digest, ?provider_types, differences, "a parser is put into service");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "a parser is refused"),
        }
        installed
    }

    fn admit(&self, candidate: &Candidate, how: Install) -> Result<Installed, ParserError> {
        let _life = lock(&self.life);
        self.refresh_known()?;
        let refuse = |problem: ParserProblem| problem.of(&candidate.origin);
        let authentic = self.admission.authenticate(candidate).map_err(refuse)?;
        if let Some(unchanged) = self.serves_already(&authentic) {
            return Ok(unchanged);
        }
        let loaded = self.load(candidate, &authentic, how).map_err(refuse)?;
        let cases = admission::cases(&loaded).map_err(refuse)?;
        let failed = self.admission.failed(&loaded, &cases);
        if !failed.is_empty() {
            return Err(refuse(ParserProblem::Cases(failed)));
        }
        let (compared, differences) = self.shadow(&loaded).map_err(refuse)?;
        self.put_into_service(candidate, &loaded)?;
        Ok(Installed {
            digest: loaded.digest,
            name: loaded.manifest.name.clone(),
            version: loaded.manifest.version.to_string(),
            provider_types: loaded.provider_types.clone(),
            signer: loaded.signer.clone(),
            cases: cases.len(),
            compared,
            differences,
            unchanged: false,
        })
    }

    /// The same component, where it serves already.
    fn serves_already(&self, authentic: &Authentic<'_>) -> Option<Installed> {
        let known = lock(&self.known);
        let loaded = known.loaded.get(&authentic.digest)?;
        let serves = |name: &String| {
            known.book.types.get(name).is_some_and(|places| places.current == Some(loaded.digest))
        };
        loaded.provider_types.iter().all(serves).then(|| Installed {
            digest: loaded.digest,
            name: loaded.manifest.name.clone(),
            version: loaded.manifest.version.to_string(),
            provider_types: loaded.provider_types.clone(),
            signer: loaded.signer.clone(),
            cases: 0,
            compared: 0,
            differences: Vec::new(),
            unchanged: true,
        })
    }

    fn load(
        &self,
        candidate: &Candidate,
        authentic: &Authentic<'_>,
        how: Install,
    ) -> Result<Arc<Loaded>, ParserProblem> {
        let withdrawn = lock(&self.known).book.withdrawn.get(&authentic.digest).cloned();
        if let Some(Withdrawal { at, why }) = withdrawn.filter(|_| !how.retry_withdrawn) {
            return Err(ParserProblem::Withdrawn { at, why });
        }
        let manifest = Manifest::read(&candidate.bytes)?;
        manifest.check_interface()?;
        if !(how.allow_downgrade || self.admission.options.allow_downgrade) {
            self.check_order(&manifest)?;
        }
        self.admission.load(candidate, authentic, manifest).map(Arc::new)
    }

    /// Refuses a version older than one of the same name that serves.
    fn check_order(&self, manifest: &Manifest) -> Result<(), ParserProblem> {
        let known = lock(&self.known);
        let serving = known.book.types.values().filter_map(|places| known.loaded.get(&places.current?));
        let versions = serving.filter(|one| one.manifest.name == manifest.name);
        match versions.map(|one| &one.manifest.version).max() {
            Some(current) if *current > manifest.version => {
                Err(ParserProblem::Downgrade { offered: manifest.version.clone(), current: current.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Reads the last real responses by a candidate. Tells how many, and what differs from what serves now.
    fn shadow(&self, loaded: &Loaded) -> Result<(usize, Vec<Difference>), ParserProblem> {
        let mut compared = 0;
        let mut all = Vec::new();
        for provider_type in &loaded.provider_types {
            for kept in self.serving.recent(provider_type) {
                let response = kept.observation(provider_type);
                let now = kept.received_at;
                let found = loaded.parse(&response, &self.admission.policy, now);
                let before = match self.parse(&response, now) {
                    Some(reading) => Some(reading),
                    None => self.engine.parse(&response, now).ok(),
                };
                let differs = match (before, found) {
                    (_, Err(Unread::Stopped(stop))) => {
                        return Err(ParserProblem::Shadow { provider_type: provider_type.clone(), stop });
                    }
                    (_, Err(unread)) => vec![unread.to_string()],
                    (Some(before), Ok(found)) => differences(&expectation(&before), &found.from_wit()),
                    (None, Ok(_)) => continue,
                };
                compared += 1;
                if !differs.is_empty() {
                    all.push(Difference {
                        provider_type: provider_type.clone(),
                        status: kept.status,
                        received_at: rfc3339(kept.received_at),
                        differs,
                    });
                }
            }
        }
        Ok((compared, all))
    }

    fn put_into_service(&self, candidate: &Candidate, loaded: &Arc<Loaded>) -> Result<(), ParserError> {
        let _lock = self.shelf.lock()?;
        self.shelf.put(loaded.digest, candidate)?;
        let mut book = self.shelf.book()?;
        let name = &loaded.manifest.name;
        let same_name: Vec<Digest> = {
            let known = lock(&self.known);
            let same = known.loaded.values().filter(|one| one.manifest.name == *name);
            same.map(|one| one.digest).filter(|digest| *digest != loaded.digest).collect()
        };
        book.install(loaded.digest, &loaded.provider_types, &candidate.origin, |digest| {
            same_name.contains(&digest)
        });
        self.shelf.write_book(&book, Durability::Durable)?;
        self.shelf.tidy(&book);
        let mut known = lock(&self.known);
        known.loaded.insert(loaded.digest, loaded.clone());
        self.take_effect(&mut known, book, self.shelf.stamp());
        Ok(())
    }

    /// Takes a component out of service, as when its file was removed. Tells for which types it served; a rollback
    /// brings it back.
    ///
    /// # Errors
    /// The folder of parsers cannot be written.
    pub fn remove(&self, digest: Digest) -> Result<Vec<String>, ParserError> {
        let types = self.change(Durability::Durable, |book, _| book.remove(digest))?;
        if !types.is_empty() {
            tracing::info!(%digest, ?types, "a parser is taken out of service");
        }
        Ok(types)
    }

    /// Exchanges what serves and what served before, of a provider type or of all types of a parser by its name. Where
    /// nothing served before, the built-in parser serves. Tells for which types.
    ///
    /// # Errors
    /// Nothing of that name is or was in service, or the folder of parsers cannot be written.
    pub fn rollback(&self, name: &str) -> Result<Vec<String>, ParserError> {
        self.refresh()?;
        let types = self.change(Durability::Durable, |book, known| {
            let is_named =
                |digest: &Digest| known.loaded.get(digest).is_some_and(|loaded| loaded.manifest.name == name);
            book.roll_back(|provider_type, places| {
                provider_type == name || [places.current, places.previous].iter().flatten().any(is_named)
            })
        })?;
        if types.is_empty() {
            return Err(ParserProblem::NotFound.of(name));
        }
        tracing::info!(name, ?types, "a parser is rolled back by hand");
        Ok(types)
    }

    /// Changes the book, here and on disk.
    fn change<T>(
        &self,
        durability: Durability,
        change: impl FnOnce(&mut Book, &Known) -> T,
    ) -> Result<T, ParserError> {
        let _lock = self.shelf.lock()?;
        let mut book = self.shelf.book()?;
        let changed = change(&mut book, &lock(&self.known));
        self.shelf.write_book(&book, durability)?;
        self.take_effect(&mut lock(&self.known), book, self.shelf.stamp());
        Ok(changed)
    }

    /// Takes in what other processes have changed. Tells whether there was anything.
    ///
    /// # Errors
    /// The folder of parsers cannot be read.
    pub fn refresh(&self) -> Result<bool, ParserError> {
        let _life = lock(&self.life);
        self.refresh_known()
    }

    fn refresh_known(&self) -> Result<bool, ParserError> {
        let stamp = self.shelf.stamp();
        if lock(&self.known).stamp == stamp {
            return Ok(false);
        }
        let book = self.shelf.book()?;
        let missing: Vec<Digest> = {
            let known = lock(&self.known);
            book.digests().filter(|digest| !known.loaded.contains_key(digest)).collect()
        };
        for digest in missing {
            let loaded = self.load_kept(digest, book.origins.get(&digest).map_or("", String::as_str));
            let mut known = lock(&self.known);
            match loaded {
                Ok(loaded) => drop(known.loaded.insert(digest, Arc::new(loaded))),
                Err(error) => {
                    tracing::error!(%error, "a parser that was in service cannot be loaded");
                    known.problems.insert(digest, error.to_string());
                }
            }
        }
        self.take_effect(&mut lock(&self.known), book, stamp);
        Ok(true)
    }

    /// Loads a component that was admitted before: its signature and its form are looked at again, its cases are not.
    fn load_kept(&self, digest: Digest, origin: &str) -> Result<Loaded, ParserError> {
        let candidate = self.shelf.get(digest, self.admission.options.most_component_bytes(), origin)?;
        let load = || {
            let authentic = self.admission.authenticate(&candidate)?;
            self.admission.load(&candidate, &authentic, Manifest::read(&candidate.bytes)?)
        };
        load().map_err(|problem: ParserProblem| problem.of(origin))
    }

    /// Lets what the book says serve.
    fn take_effect(&self, known: &mut Known, book: Book, stamp: Stamp) {
        known.book = book;
        let Known { book, loaded, problems, .. } = known;
        let named: Vec<Digest> = book.digests().collect();
        // What another process has added meanwhile is loaded when it is looked at next.
        let is_complete =
            named.iter().all(|digest| loaded.contains_key(digest) || problems.contains_key(digest));
        known.stamp = if is_complete { stamp } else { Stamp::default() };
        loaded.retain(|digest, _| named.contains(digest));
        problems.retain(|digest, _| named.contains(digest) && !loaded.contains_key(digest));
        let serving = book.types.iter().filter_map(|(name, places)| {
            let current = places.current?;
            // One that cannot be loaded any more leaves its place to the one before.
            let serving = loaded.get(&current).or_else(|| loaded.get(&places.previous?))?;
            Some((name.as_str(), serving.clone()))
        });
        self.serving.set(serving);
    }

    /// What a parser in service reads from a response that is to be recorded; `None` where the built-in one is to.
    pub(crate) fn read(&self, response: &Observation<'_>, now: SystemTime) -> Option<wit::Reading> {
        // It is kept, to try candidates on.
        self.serving.note(response, &self.admission.policy, now);
        self.read_only(response, now)
    }

    /// The same for one that is not recorded.
    pub(crate) fn parse(&self, response: &Observation<'_>, now: SystemTime) -> Option<Reading> {
        self.read_only(response, now).map(FromWit::from_wit)
    }

    fn read_only(&self, response: &Observation<'_>, now: SystemTime) -> Option<wit::Reading> {
        // Of a call that failed there is no response.
        if response.error.is_some() {
            return None;
        }
        let loaded = self.serving.of(response.provider_type)?;
        match loaded.parse(response, &self.admission.policy, now) {
            Ok(reading) => Some(reading),
            Err(unread) => {
                self.unread(&loaded, response.provider_type, &unread);
                None
            }
        }
    }

    /// Name and version of the component that reads the responses of a provider type now; `None` where the built-in
    /// parser does.
    #[must_use]
    pub fn serving(&self, provider_type: &str) -> Option<(String, semver::Version)> {
        let loaded = self.serving.of(provider_type)?;
        Some((loaded.manifest.name.clone(), loaded.manifest.version.clone()))
    }

    fn unread(&self, loaded: &Arc<Loaded>, provider_type: &str, unread: &Unread) {
        let name = &loaded.manifest.name;
        if !unread.is_fault() {
            tracing::debug!(name, provider_type, %unread, "the built-in parser reads a response");
            return;
        }
        tracing::warn!(name, provider_type, %unread, "a parser failed; the built-in one reads the response");
        let options = &self.admission.options;
        if loaded.fault(options.most_faults, options.fault_window) {
            self.withdraw(loaded, &unread.to_string());
        }
    }

    /// Takes a parser out of service for having failed. Here it takes effect at once; on disk as soon as it can.
    fn withdraw(&self, loaded: &Arc<Loaded>, why: &str) {
        let digest = loaded.digest;
        let withdrawal = Withdrawal { at: rfc3339(SystemTime::now()), why: why.to_owned() };
        {
            let mut known = lock(&self.known);
            let mut book = known.book.clone();
            book.withdraw(digest, withdrawal.clone());
            let stamp = known.stamp;
            self.take_effect(&mut known, book, stamp);
        }
        tracing::error!(
            name = loaded.manifest.name, version = %loaded.manifest.version, %digest, why,
            "a parser failed too often and is taken out of service; what served before serves again"
        );
        let kept = self.change(Durability::Visible, |book, _| book.withdraw(digest, withdrawal));
        if let Err(error) = kept {
            tracing::error!(%error, "the next start will not know it");
        }
    }

    /// What serves, what served before, and what was taken out of service.
    #[must_use]
    pub fn list(&self) -> Vec<ParserStatus> {
        let known = lock(&self.known);
        let mut all = Vec::new();
        for state in [ParserState::Current, ParserState::Previous] {
            let mut types: HashMap<Digest, Vec<String>> = HashMap::new();
            for (name, places) in &known.book.types {
                let place = if state == ParserState::Current { places.current } else { places.previous };
                place.into_iter().for_each(|digest| types.entry(digest).or_default().push(name.clone()));
            }
            let mut statuses: Vec<_> = types
                .into_iter()
                .map(|(digest, types)| {
                    let mut status = ParserStatus::new(state, digest, types);
                    status.origin = known.book.origins.get(&digest).cloned();
                    status.problem = known.problems.get(&digest).cloned();
                    match known.loaded.get(&digest) {
                        Some(loaded) => status.of(loaded),
                        None => status,
                    }
                })
                .collect();
            statuses.sort_by(|a, b| (&a.name, &a.provider_types).cmp(&(&b.name, &b.provider_types)));
            all.append(&mut statuses);
        }
        all.extend(known.book.withdrawn.iter().map(|(digest, Withdrawal { at, why })| ParserStatus {
            problem: Some(format!("{at}: {why}")),
            ..ParserStatus::new(ParserState::Withdrawn, *digest, Vec::new())
        }));
        all
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
