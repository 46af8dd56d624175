//! Writing the line of an event into a reused buffer, and keeping it within its size limit.
use std::sync::{Arc, OnceLock};

use super::{
    Format, Header, Profile,
    address::{self, AddressKind},
    encoding::LineEncoding,
    escape::{Escape, put_str},
    plan::{self, Op, OpKind, Plan},
    shrink::{Place, shrink},
    transcode::Transcoder,
    value::{self, Context, Given},
    variant::{self, Variant},
};
use crate::{
    decode::{ebcdic::Charset, journal::text},
    event::{Detail, EntryTime, Event, EventModel},
};

/// What shapes the lines of one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Body.
    pub format: Format,
    /// Header.
    pub header: Header,
    /// Carry every field that is not blank.
    pub full: bool,
    /// Longest line in bytes, as it leaves, without framing.
    pub max_size: usize,
    /// The encoding in which it leaves; `None` for UTF-8.
    pub encoding: Option<LineEncoding>,
    /// Syslog facility, 0 to 23.
    pub facility: u8,
    /// Vendor in CEF and LEEF.
    pub vendor: String,
    /// Product in CEF and LEEF.
    pub product: String,
    /// Version in CEF and LEEF.
    pub version: String,
    /// Structured-data id.
    pub sd_id: String,
    /// APP-NAME.
    pub app_name: String,
    /// What the heading does not hold.
    pub given: Given,
}

impl Settings {
    /// The contract of a profile and the defaults of a format.
    pub fn new(format: Format, profile: &Profile) -> Settings {
        let c = &profile.contract;
        Settings {
            format,
            header: format.default_header(),
            full: false,
            max_size: format.default_max_size(),
            encoding: None,
            facility: c.facility,
            vendor: c.vendor.clone(),
            product: c.product.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sd_id: c.sd_id.clone(),
            app_name: c.app_name.clone(),
            given: Given::default(),
        }
    }

    /// How many bytes a piece of a line has as it leaves.
    #[inline]
    pub(super) fn length(&self, piece: &[u8]) -> usize {
        self.encoding.map_or(piece.len(), |e| e.length(piece, plan::value_escape(self.format)))
    }

    /// Brings the line from `start` into the encoding in which it leaves; `end` is where the text behind the values begins.
    #[inline]
    pub(super) fn convert(&self, start: usize, end: usize, out: &mut Vec<u8>) {
        if let Some(encoding) = self.encoding {
            encoding.convert(end, plan::end_escape(self.format), out);
            encoding.convert_before(start, end, plan::value_escape(self.format), out);
        }
    }
}

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// Severity of the event, 0 to 10.
    pub severity: u8,
    /// Bytes of the syslog header.
    pub header: usize,
    /// Bytes of the line, header included, framing not.
    pub total: usize,
    /// Values were cut or left out to keep the size limit.
    pub truncated: bool,
    /// The entry holds no effective user.
    pub without_user: bool,
}

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
            access: access_meanings(model, plan::value_escape(settings.format)),
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
            values: Transcoder::new(plan::value_escape(settings.format), job),
            host: Transcoder::new(Escape::Host, job),
            header_fields: Transcoder::new(Escape::HeaderField, job),
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
    pub fn set_given(&mut self, given: Given) {
        self.settings.given = given;
    }

    /// Appends the line of an event, without framing and without a line end.
    pub fn encode(&mut self, ev: &Event<'_>, out: &mut Vec<u8>) -> Written {
        let Encoder { settings, plans, values, host: host_field, header_fields } = self;
        let Plans { profile, plans, access, job } = &**plans;
        let Some(slot) = plans.get(ev.kind.index) else { return Written::default() };
        let plan: &Plan = slot.get_or_init(|| Box::new(Plan::new(ev.kind, settings, profile)));
        let made;
        let variant = match plan.variant(ev.detail_code()) {
            Some(v) if !ev.kind.is_foreign() && v.severity >= ev.severity_floor && is_own(ev, v) => v,
            _ => {
                made = made_variant(ev, job, settings, profile);
                &made
            }
        };
        let cx = Context { job, given: &settings.given, access };

        let start = out.len();
        let host = value::system(&ev.entry, &settings.given);
        put_header(settings, variant, ev, (host, host_field), header_fields, out);
        let header = out.len() - start;
        out.extend_from_slice(&variant.start);
        let cef = settings.format == Format::Cef;
        if !cef {
            out.extend_from_slice(&variant.constants);
        }
        let body = out.len();
        let mut in_msg = false;
        for op in plan.ops_for(ev) {
            let at = out.len();
            if put_op(op, ev, &cx, values, &mut in_msg, out) && at == body && cef {
                // The first key of a CEF extension has no blank before it.
                out.remove(at);
                out.extend_from_slice(&variant.constants);
            }
        }
        let lost = ev.kind.lost(&ev.entry);
        let mut written = Written {
            severity: variant.severity,
            header,
            total: 0,
            truncated: false,
            without_user: ev.entry.head(ev.entry.heading.user_name).iter().all(|b| matches!(b, 0x40 | 0)),
        };
        let no_time = if ev.time.is_none() { no_time(ev, values, settings.format) } else { Vec::new() };
        let marks = lost.map_or(0, |l| settings.length(l.as_bytes()) + 20)
            + settings.length(&no_time)
            + settings.length(&variant.end);
        if settings.length(out.get(start..).unwrap_or(&[])) + marks > settings.max_size {
            written.truncated = true;
            shrink(settings, plan, variant, ev, &cx, values, Place { start, body, marks }, out);
        }
        if let Some(name) = lost {
            put_mark(settings.format, "incomplete", name, out);
        }
        out.extend_from_slice(&no_time);
        let end = out.len();
        out.extend_from_slice(&variant.end);
        settings.convert(start, end, out);
        written.total = out.len() - start;
        written
    }
}

/// The mark of an entry without a valid time: what stands where it should be.
#[cold]
fn no_time(ev: &Event<'_>, tr: &Transcoder, format: Format) -> Vec<u8> {
    let (entry, heading) = (&ev.entry, ev.entry.heading);
    let mut mark = plan::before(format, "notime", None);
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
    mark.extend_from_slice(plan::after(format));
    mark
}

pub(super) fn put_mark(format: Format, key: &str, value: &str, out: &mut Vec<u8>) {
    out.extend(plan::before(format, key, None));
    out.extend_from_slice(value.as_bytes());
    out.extend(plan::after(format));
}

#[inline]
pub(super) fn put_op(
    op: &Op,
    ev: &Event<'_>,
    cx: &Context<'_>,
    tr: &mut Transcoder,
    in_msg: &mut bool,
    out: &mut Vec<u8>,
) -> bool {
    let at = out.len();
    match &op.kind {
        OpKind::Msg(more) if *in_msg => more.put(out),
        _ => op.before.put(out),
    }
    let value_at = out.len();
    let wrote = match op.kind {
        OpKind::Rfc3339 => put_rfc3339(ev.time, out),
        _ => value::put(&op.source, ev, cx, tr, out),
    };
    // Bytes can be no character at all: shifts of a mixed CCSID with nothing between them.
    if !wrote || out.len() == value_at {
        out.truncate(at);
        return false;
    }
    match &op.kind {
        OpKind::Address { v6, other } => {
            let key = match address::address_kind(out.get(value_at..).unwrap_or(&[])) {
                AddressKind::V4 => None,
                AddressKind::V6 => Some(v6),
                AddressKind::Other => Some(other),
            };
            if let Some(key) = key {
                out.splice(at..value_at, key.iter().copied());
            }
        }
        OpKind::Number if is_json_number(out.get(value_at..).unwrap_or(&[])) => {
            // Without the quotes that its key opened.
            out.remove(value_at - 1);
            return true;
        }
        OpKind::Port(other) if !is_port(out.get(value_at..).unwrap_or(&[])) => {
            out.splice(at..value_at, other.iter().copied());
        }
        OpKind::Msg(_) => {
            *in_msg = true;
            quote_if_needed(value_at, out);
        }
        _ => {}
    }
    // One byte or none: no call to copy it.
    if let [b] = op.after {
        out.push(*b);
    }
    true
}

/// A value of CEF's msg that holds the separator, or begins with a quote, is quoted, so that it cannot pass for another pair.
#[inline]
fn quote_if_needed(at: usize, out: &mut Vec<u8>) {
    let value = out.get(at..).unwrap_or(&[]);
    let hides = value.first() == Some(&b'"')
        || memchr::memchr_iter(b';', value).any(|i| value.get(i + 1).is_none_or(|b| *b == b' '));
    if hides {
        let quoted: Vec<u8> = value.iter().flat_map(|b| if *b == b'"' { vec![b'"', b'"'] } else { vec![*b] }).collect();
        out.truncate(at);
        out.push(b'"');
        out.extend_from_slice(&quoted);
        out.push(b'"');
    }
}

/// Whether a variant has the severity of this very event.
#[inline]
fn is_own(ev: &Event<'_>, v: &Variant) -> bool {
    ev.kind.own_severity(&ev.entry).is_none_or(|n| v.severity == n.max(ev.severity_floor))
}

/// Whether a text is a number as JSON writes it, and small enough for readers that hold numbers as doubles.
fn is_json_number(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let leads = digits.len() > 1 && digits.first() == Some(&b'0');
    (1..=15).contains(&digits.len()) && !leads && digits.iter().all(u8::is_ascii_digit)
}

fn is_port(text: &[u8]) -> bool {
    let number = text
        .iter()
        .try_fold(0u32, |n, b| b.is_ascii_digit().then(|| n.saturating_mul(10).saturating_add(u32::from(b & 15))));
    !text.is_empty() && number.is_some_and(|n| n <= 65_535)
}

pub(super) fn put_rfc3339(time: Option<EntryTime>, out: &mut Vec<u8>) -> bool {
    let Some(t) = time else { return false };
    out.extend_from_slice(&t.local);
    put_offset(t.offset, out);
    true
}

#[inline]
fn put_offset(offset: i32, out: &mut Vec<u8>) {
    if offset == 0 {
        return out.push(b'Z');
    }
    let minutes = offset.unsigned_abs() / 60;
    let two = |n: u32| [b'0' + u8::try_from(n / 10 % 10).unwrap_or(0), b'0' + u8::try_from(n % 10).unwrap_or(0)];
    out.push(if offset < 0 { b'-' } else { b'+' });
    out.extend_from_slice(&two(minutes / 60));
    out.push(b':');
    out.extend_from_slice(&two(minutes % 60));
}

fn put_header(
    s: &Settings,
    v: &Variant,
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

/// `Mmm dd hh:mm:ss` and a blank, the day padded with a blank (RFC 3164, section 4.1.2). RFC 3164 has no sign for an unknown
/// time, and a made-up one would date the event: without one the host follows at once, and receivers take the time of arrival.
pub(super) fn put_bsd_time(time: Option<EntryTime>, out: &mut Vec<u8>) {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let Some(EntryTime { local, .. }) = time else { return };
    let [_, _, _, _, _, m1, m2, _, d1, d2, _, rest @ ..] = local;
    let month = usize::from(m1.wrapping_sub(b'0')) * 10 + usize::from(m2.wrapping_sub(b'0'));
    out.extend_from_slice(MONTHS.get(month.wrapping_sub(1)).map_or(b"Jan", |m| *m));
    out.push(b' ');
    out.push(if d1 == b'0' { b' ' } else { d1 });
    out.push(d2);
    out.push(b' ');
    out.extend(rest.iter().take(8));
    out.push(b' ');
}

/// The constants of an event whose detail, or type, no table knows, or whose severity is raised.
#[cold]
fn made_variant(ev: &Event<'_>, job: &'static Charset, s: &Settings, p: &Profile) -> Variant {
    let known = ev.kind.details().iter().find(|(code, _)| code == ev.detail_code());
    let mut detail = known.map(|(_, d)| d.clone()).unwrap_or_else(|| Detail {
        code: job.decode_string(ev.detail_code()),
        title: None,
        meaning: None,
        notable: false,
        severity: ev.kind.severity,
        failure: ev.kind.failure,
    });
    detail.severity = ev.kind.own_severity(&ev.entry).unwrap_or(detail.severity).max(ev.severity_floor);
    if ev.kind.is_history() {
        return plan::message_variant(&detail, &ev.kind.title, s, p);
    }
    if !ev.kind.is_foreign() {
        return variant::variant(&ev.kind.code, &ev.kind.code, &ev.kind.title, &detail, s, p);
    }
    let entry_type = job.decode_string(&ev.entry.entry_type());
    if ev.entry.is_audit() {
        return variant::variant("T", &entry_type, &ev.kind.title, &detail, s, p);
    }
    let code = job.decode_string(&[ev.entry.journal_code()]);
    detail.code = entry_type;
    variant::variant(&code, &code, &ev.kind.title, &detail, s, p)
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
