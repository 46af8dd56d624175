//! Writing the line of an event into a reused buffer, and keeping it within its size limit.
use std::sync::{Arc, OnceLock};

use super::{
    Format, Header, HeadingDefaults, Profile, Settings, Written,
    escape::{Escape, put_str},
    event_constants::EventConstants,
    plan::{self, Plan},
    put::{put_mark, put_op},
    shrink::{LineSpan, shrink},
    syntax, template,
    times::{put_bsd_time, put_rfc3339},
    transcode::Transcoder,
    value::{self, Context},
};
use crate::{
    decode::{ebcdic::Charset, journal::text},
    event::{Detail, Event, EventModel},
};

/// What lines of the events of one model are made with: a plan for each event type, made when the first event of it comes.
pub struct Plans {
    profile: Arc<Profile>,
    plans: Vec<OnceLock<Box<Plan>>>,
    access: Vec<Vec<u8>>,
    job: &'static Charset,
}

impl Plans {
    /// For the events of a model. What `settings` give for headings does not matter.
    pub fn new(model: &EventModel, profile: Arc<Profile>, settings: &Settings) -> Plans {
        Plans {
            plans: (0..model.len()).map(|_| OnceLock::new()).collect(),
            access: access_meanings(model, syntax::value_escape(settings.format)),
            job: model.job_charset(),
            profile,
        }
    }
}

/// Encodes the events of one model for one output.
pub struct Encoder {
    settings: Settings,
    plans: Arc<Plans>,
    values: Transcoder,
    host: Transcoder,
    header_fields: Transcoder,
    /// For the names of events in lines of another product.
    names: Option<Box<Transcoder>>,
}

impl Encoder {
    /// For the events of a model.
    pub fn new(model: &EventModel, profile: Profile, settings: Settings) -> Encoder {
        Encoder::with_plans(Arc::new(Plans::new(model, Arc::new(profile), &settings)), settings)
    }

    /// With plans that were made for these settings.
    pub fn with_plans(plans: Arc<Plans>, settings: Settings) -> Encoder {
        let job = plans.job;
        Encoder {
            values: Transcoder::new(syntax::value_escape(settings.format), job),
            host: Transcoder::new(Escape::Host, job),
            header_fields: Transcoder::new(Escape::HeaderField, job),
            names: settings.dialect.as_ref().map(|_| Box::new(Transcoder::new(Escape::CefHeader, job))),
            settings,
            plans,
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Lines are at most so long from now on.
    pub fn shorten(&mut self, limit: usize) {
        self.settings.max_size = self.settings.max_size.min(limit);
    }

    /// What headings do not hold, from now on.
    pub fn set_given(&mut self, given: HeadingDefaults) {
        self.settings.given = given;
    }

    /// Appends the line of an event, without framing and without a line end.
    pub fn encode(&mut self, ev: &Event<'_>, out: &mut Vec<u8>) -> Written {
        let Encoder { settings, plans, values, host: host_field, header_fields, names } = self;
        let Plans { profile, plans, access, job } = &**plans;
        let Some(slot) = plans.get(ev.kind.index) else { return Written::default() };
        let plan: &Plan = slot.get_or_init(|| Box::new(Plan::new(ev.kind, settings, profile)));
        let made;
        let constants = match plan.constants_of(ev.detail_code()) {
            Some(v) if !ev.kind.is_foreign() && v.severity >= ev.severity_floor && is_own(ev, v) => v,
            _ => {
                made = unplanned_constants(ev, job, settings, profile);
                &made
            }
        };
        let texts = constants.other.as_ref().map_or(&[][..], |other| &other.values);
        let cx = Context { job, given: &settings.given, access, texts };

        let start = out.len();
        let host = value::system(&ev.entry, &settings.given);
        put_header(settings, constants, ev, (host, host_field), header_fields, out);
        let header = out.len() - start;
        out.extend_from_slice(&constants.start);
        if let (Some(other), Some(names)) = (&constants.other, names) {
            template::put_first(&other.name, ev, &cx, names, out);
            out.extend_from_slice(&other.after_name);
        }
        let bare = settings.is_bare_first();
        if !bare {
            out.extend_from_slice(&constants.values);
        }
        let body = out.len();
        let mut in_msg = false;
        for op in plan.ops_for(ev) {
            let at = out.len();
            if put_op(op, ev, &cx, values, &mut in_msg, out) && at == body && bare {
                // Nothing stands before the first key.
                out.remove(at);
                out.extend_from_slice(&constants.values);
            }
        }
        let lost = ev.kind.first_truncated(&ev.entry);
        let mut written = Written {
            severity: constants.severity,
            header,
            total: 0,
            truncated: false,
            without_user: ev.entry.head(ev.entry.heading.user_name).iter().all(|b| matches!(b, 0x40 | 0)),
        };
        let no_time = if ev.time.is_none() { no_time(ev, values, settings.format) } else { Vec::new() };
        let marks = lost.map_or(0, |l| settings.length(l.as_bytes()) + 20)
            + settings.length(&no_time)
            + settings.length(&constants.end);
        if settings.length(out.get(start..).unwrap_or(&[])) + marks > settings.max_size {
            written.truncated = true;
            shrink(settings, plan, constants, ev, &cx, values, LineSpan { start, body, marks }, out);
        }
        if let Some(name) = lost {
            put_mark(settings.format, "incomplete", name, out);
        }
        out.extend_from_slice(&no_time);
        let end = out.len();
        out.extend_from_slice(&constants.end);
        settings.convert(start, end, out);
        written.total = out.len() - start;
        written
    }
}

/// The mark of an entry without a valid time: what stands where it should be.
#[cold]
fn no_time(ev: &Event<'_>, tr: &Transcoder, format: Format) -> Vec<u8> {
    let (entry, heading) = (&ev.entry, ev.entry.heading);
    let mut mark = syntax::key_prefix(format, "notime", None);
    let start = mark.len();
    for (i, part) in [heading.timestamp, heading.date, heading.time].into_iter().flatten().enumerate() {
        if i > 0 {
            mark.push(b' ');
        }
        match text::trim_blanks(part.of(entry.record)) {
            [] => mark.push(b'-'),
            there => tr.put_job(there, &mut mark),
        }
    }
    // Bytes that are no digits at all, each of them escaped, would leave no room for the line.
    if mark.len() - start > 64 {
        mark.truncate(start);
        mark.push(b'-');
    }
    mark.extend_from_slice(syntax::value_suffix(format));
    mark
}

/// Whether these constants have the severity of this very event.
#[inline]
fn is_own(ev: &Event<'_>, v: &EventConstants) -> bool {
    ev.kind.message_severity(&ev.entry).is_none_or(|n| v.severity == n.max(ev.severity_floor))
}

fn put_header(
    s: &Settings,
    v: &EventConstants,
    ev: &Event<'_>,
    (host, host_field): (&[u8], &Transcoder),
    tr: &Transcoder,
    out: &mut Vec<u8>,
) {
    match s.header {
        Header::None => return,
        Header::Rfc5424 => {
            out.extend_from_slice(&v.pri);
            if !put_rfc3339(ev.time, out) {
                out.push(b'-');
            }
            out.push(b' ');
        }
        Header::Rfc3164 => {
            out.extend_from_slice(&v.pri);
            put_bsd_time(ev.time, out);
        }
    }
    if !host_field.put_field(host, out) {
        out.push(b'-');
    }
    out.extend_from_slice(&v.after_host);
    if s.header == Header::Rfc5424 {
        let job = ev.entry.heading;
        let digits = job.job_number.of(ev.entry.record);
        if s.format == Format::Syslog && digits.iter().all(|b| (0xF0..=0xF9).contains(b)) {
            out.extend(digits.iter().map(|b| b & 15 | b'0'));
            for part in [job.job_user, job.job_name] {
                out.push(b'/');
                tr.put_field(part.of(ev.entry.record), out);
            }
        } else {
            out.push(b'-');
        }
    }
    out.extend_from_slice(&v.after_procid);
}

/// The constants of an event whose detail, or type, no table knows, or whose severity is raised.
#[cold]
fn unplanned_constants(ev: &Event<'_>, job: &'static Charset, s: &Settings, p: &Profile) -> EventConstants {
    let known = ev.kind.details().iter().find(|(code, _)| code == ev.detail_code());
    let mut detail = known.map(|(_, d)| d.clone()).unwrap_or_else(|| Detail {
        code: job.decode_string(ev.detail_code()),
        title: None,
        meaning: None,
        notable: false,
        severity: ev.kind.severity,
        failure: ev.kind.failure,
    });
    detail.severity = ev.kind.message_severity(&ev.entry).unwrap_or(detail.severity).max(ev.severity_floor);
    let kind = ev.kind;
    if kind.is_history() {
        return plan::message_constants(kind, &detail, s, p);
    }
    if !kind.is_foreign() {
        return plan::constants(kind, (&kind.code, &kind.code), &kind.title, &detail, s, p);
    }
    let entry_type = job.decode_string(&ev.entry.entry_type());
    if ev.entry.is_audit() {
        return plan::constants(kind, ("T", &entry_type), &kind.title, &detail, s, p);
    }
    let code = job.decode_string(&[ev.entry.journal_code()]);
    detail.code = entry_type;
    plan::constants(kind, (&code, &code), &kind.title, &detail, s, p)
}

/// What access types mean, by code, escaped for a format.
fn access_meanings(model: &EventModel, escape: Escape) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for (code, meaning) in model.catalog().levels().access_types() {
        let Some(code) = usize::try_from(code).ok().filter(|c| *c < 1000) else { continue };
        if found.len() <= code {
            found.resize(code + 1, Vec::new());
        }
        if let Some(to) = found.get_mut(code) {
            put_str(escape, meaning, to);
        }
    }
    found
}
