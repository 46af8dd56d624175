//! What many sources and outputs have in common, made once: event models by heading, CCSID and options; filters by model and
//! rules; plans of lines by model and settings. They live as long as somebody uses them.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::{
    decode::{
        ebcdic::Charset,
        journal::{Catalog, Heading},
    },
    encode::{HeadingDefaults, Profile, Settings, line::Plans},
    event::{EventModel, Options},
    filter::{Filter, FilterError, Rules},
};

/// The parts that events and lines are made with.
pub struct Parts {
    catalog: Arc<Catalog>,
    profile: Arc<Profile>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    models: Vec<(Options, Weak<EventModel>)>,
    filters: Vec<(Weak<EventModel>, Rules, Weak<Filter>)>,
    plans: Vec<(Weak<EventModel>, Settings, Weak<Plans>)>,
}

impl Parts {
    /// From these tables.
    pub fn new(catalog: Arc<Catalog>, profile: Profile) -> Parts {
        Parts { catalog, profile: Arc::new(profile), kept: Mutex::default() }
    }

    /// The tables.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Where values stand in lines.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // What a thread that died has left half made is not in a list.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model of a heading, the CCSID of the jobs, and options.
    pub fn model(&self, heading: &Arc<Heading>, job: &'static Charset, options: &Options) -> Arc<EventModel> {
        let mut kept = self.lock();
        let same = |m: &Arc<EventModel>| Arc::ptr_eq(m.heading_arc(), heading) && std::ptr::eq(m.job_charset(), job);
        let found = kept.models.iter().filter(|(o, _)| o == options).filter_map(|(_, m)| m.upgrade()).find(same);
        found.unwrap_or_else(|| {
            let model = Arc::new(EventModel::new(self.catalog.clone(), heading.clone(), job, options.clone()));
            kept.models.retain(|(_, m)| m.strong_count() > 0);
            kept.models.push((options.clone(), Arc::downgrade(&model)));
            model
        })
    }

    /// Rules, compiled for the events of a model.
    pub fn filter(&self, model: &Arc<EventModel>, rules: &Rules) -> Result<Arc<Filter>, FilterError> {
        let mut kept = self.lock();
        let same = kept.filters.iter().filter(|(m, r, _)| is(m, model) && r == rules);
        if let Some(found) = same.filter_map(|(.., f)| f.upgrade()).next() {
            return Ok(found);
        }
        let filter = Arc::new(Filter::new(model, rules, None)?);
        kept.filters.retain(|(.., f)| f.strong_count() > 0);
        kept.filters.push((Arc::downgrade(model), rules.clone(), Arc::downgrade(&filter)));
        Ok(filter)
    }

    /// The plans of the lines of a model's events. What a source says of its entries does not shape them.
    pub fn plans(&self, model: &Arc<EventModel>, settings: &Settings) -> Arc<Plans> {
        let settings = Settings { given: HeadingDefaults::default(), ..settings.clone() };
        let mut kept = self.lock();
        let same = kept.plans.iter().filter(|(m, s, _)| is(m, model) && *s == settings);
        if let Some(found) = same.filter_map(|(.., p)| p.upgrade()).next() {
            return found;
        }
        let plans = Arc::new(Plans::new(model, self.profile.clone(), &settings));
        kept.plans.retain(|(.., p)| p.strong_count() > 0);
        kept.plans.push((Arc::downgrade(model), settings, Arc::downgrade(&plans)));
        plans
    }
}

fn is(weak: &Weak<EventModel>, model: &Arc<EventModel>) -> bool {
    std::ptr::eq(weak.as_ptr(), Arc::as_ptr(model))
}
