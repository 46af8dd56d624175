//! What `top` shows, for 80 columns by 24 lines and more, with and without colours.
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph, Sparkline},
};

use super::rates::{Kind, Rates};
use crate::{
    agent::control::{
        snapshot::{Output, Snapshot, Source},
        words,
    },
    log::{Visible, numbers::grouped},
};

/// Lines at the top that stay.
const HEAD: u16 = 3;
/// Lines of the picture of what was delivered, where there is room for it.
const PICTURE: u16 = 6;
/// Lines from which there is room for the picture.
const TALL: u16 = 34;
/// Columns that names take on a narrow screen, and on a wide one of so many columns.
const NAME: [usize; 2] = [17, 32];
const WIDE: usize = 110;

/// How it is shown, and which part of it.
pub struct View {
    has_colors: bool,
    top: u16,
    /// Lines that do not fit.
    hidden: u16,
}

impl View {
    /// From the top.
    pub fn new(has_colors: bool) -> View {
        View { has_colors, top: 0, hidden: 0 }
    }

    /// Moves through what does not fit.
    pub fn scroll(&mut self, lines: i16) {
        self.top = self.top.saturating_add_signed(lines).min(self.hidden);
    }

    /// Draws a state. `gone`: why there is no newer one.
    pub fn draw(&mut self, frame: &mut Frame<'_>, s: &Snapshot, rates: &Rates, gone: &str) {
        let picture = if frame.area().height >= TALL { PICTURE } else { 0 };
        let parts = [Constraint::Length(HEAD), Constraint::Min(1), Constraint::Length(picture), Constraint::Length(1)];
        let [head, body, chart, foot] = Layout::vertical(parts).areas(frame.area());
        frame.render_widget(Paragraph::new(self.head(s, gone, head)), head);
        let lines = self.body(s, rates, usize::from(body.width));
        self.hidden = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(body.height);
        self.top = self.top.min(self.hidden);
        frame.render_widget(Paragraph::new(lines).scroll((self.top, 0)), body);
        if picture > 0 {
            self.chart(frame, chart, rates);
        }
        let more =
            if self.hidden > 0 { format!("   {} more lines: arrows", self.hidden - self.top) } else { String::new() };
        frame.render_widget(Paragraph::new(Line::styled(format!("q ends{more}"), self.faint())), foot);
    }

    fn color(&self, color: Color) -> Style {
        if self.has_colors { Style::new().fg(color) } else { Style::new() }
    }

    /// Something is wrong: bold too, for who sees no colours.
    fn bad(&self) -> Style {
        self.color(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn faint(&self) -> Style {
        self.color(Color::DarkGray)
    }

    fn head(&self, s: &Snapshot, gone: &str, area: Rect) -> Vec<Line<'static>> {
        let width = usize::from(area.width);
        let up = words::duration(s.uptime_seconds);
        let first = format!("qaudjrn {}  up {up}  configuration {}", s.version, s.configuration);
        let first = Line::styled(cut(&first, width), Style::new().add_modifier(Modifier::BOLD));
        let state = match (gone, s.wrong.as_slice()) {
            ("", []) => Line::styled("all is well", self.color(Color::Green)),
            ("", wrong) => Line::styled(cut(&format!("WRONG: {}", wrong.join("; ")), width), self.bad()),
            (gone, _) => Line::styled(cut(&format!("NO ANSWER: {gone}"), width), self.bad()),
        };
        let used = s.spool.bytes.saturating_mul(100).checked_div(s.spool.max_bytes).unwrap_or(0).min(100);
        let text = format!("spool {used:>3} % of {}  ", words::bytes(s.spool.max_bytes));
        let bar = width.saturating_sub(text.len() + 2).min(40);
        let full = bar * usize::try_from(used).unwrap_or(100) / 100;
        let style = if used > 80 { self.bad() } else { self.color(Color::Cyan) };
        let bar = format!("[{}{}]", "#".repeat(full), ".".repeat(bar - full));
        vec![first, state, Line::from(vec![Span::raw(text), Span::styled(bar, style)])]
    }

    fn body(&self, s: &Snapshot, rates: &Rates, width: usize) -> Vec<Line<'static>> {
        let [narrow, wide] = NAME;
        let n = if width < WIDE { narrow } else { wide };
        let title = |text: String| {
            Line::styled(
                cut(&format!("{text:width$}"), width),
                self.color(Color::Cyan).add_modifier(Modifier::REVERSED),
            )
        };
        let row = |cells: [&str; 6]| {
            let [name, per_second, count, other, small, last] = cells;
            format!("{:n$} {per_second:>7} {count:>11} {other:>11} {small:>8}  {last}", cut(name, n))
        };
        let mut lines = vec![title(row(["SOURCE", "READ/S", "READ", "FILTERED", "MISSING", "LAST ENTRY"]))];
        for s in &s.sources {
            let age =
                s.last_entry_age_seconds.map_or("none yet".to_owned(), |age| format!("{} ago", words::duration(age)));
            let per_second = rate(rates.last(Kind::Read, &s.name));
            let text = row([&s.name, &per_second, &grouped(s.read), &grouped(s.filtered), &grouped(s.missing), &age]);
            let is_bad = s.failed || s.down_seconds.is_some() || s.gaps + s.parked + s.refused > 0;
            lines.push(Line::styled(cut(&text, width), if is_bad { self.bad() } else { Style::new() }));
            lines.push(self.note(&about_source(s), width));
        }
        lines.push(title(row(["OUTPUT", "SENT/S", "SENT", "WAITING", "WINDOW", "STATE"])));
        for o in &s.outputs {
            let state = format!("{} {}", o.state.in_words(), words::duration(o.since_seconds));
            let per_second = rate(rates.last(Kind::Done, &o.name));
            let text =
                row([&o.name, &per_second, &grouped(o.sent), &grouped(o.waiting), &grouped(o.in_window), &state]);
            lines.push(Line::styled(cut(&text, width), if o.is_well() { Style::new() } else { self.bad() }));
            lines.push(self.note(&about_output(o), width));
        }
        let mut rules: Vec<_> = s.sources.iter().flat_map(|s| &s.rules).collect();
        rules.sort_by_key(|r| std::cmp::Reverse(r.dropped));
        if !rules.is_empty() {
            lines.push(title(format!("{:>12}  BY RULE", "DROPPED")));
            lines.extend(
                rules.iter().map(|r| Line::raw(cut(&format!("{:>12}  {}", grouped(r.dropped), r.rule), width))),
            );
        }
        lines
    }

    /// A line below another.
    fn note(&self, text: &str, width: usize) -> Line<'static> {
        Line::styled(cut(&format!("  {text}"), width), self.faint())
    }

    fn chart(&self, frame: &mut Frame<'_>, area: Rect, rates: &Rates) {
        let mut done = rates.sums(Kind::Done);
        let most = done.iter().copied().max().unwrap_or(0);
        let title = format!("delivered a second by all outputs, at most {}", grouped(most));
        let block = Block::new().borders(Borders::TOP).title(title).border_style(self.faint());
        // The newest at the right.
        let room = usize::from(area.width);
        let mut shown = vec![0; room.saturating_sub(done.len())];
        shown.append(&mut done.split_off(done.len().saturating_sub(room)));
        frame.render_widget(Sparkline::default().block(block).data(&shown).style(self.color(Color::Green)), area);
    }
}

fn rate(rate: Option<u64>) -> String {
    rate.map_or("-".to_owned(), grouped)
}

/// What a source is doing, what is wrong with it, and where it is.
fn about_source(s: &Source) -> String {
    let counts = [("gaps", s.gaps), ("parked", s.parked), ("refused", s.refused)];
    let counts = counts.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{} {what}", grouped(*n)));
    let place = (s.sequence > 0).then(|| format!("{} {}:{}", s.system, s.receiver, s.sequence));
    std::iter::once(s.state.clone()).chain(counts).chain(place).collect::<Vec<_>>().join("; ")
}

/// Why an output does not deliver, or where it does, and for how long its oldest event has waited.
fn about_output(o: &Output) -> String {
    let next = o.next_try_seconds.map(|s| format!("next try in {}", words::duration(s)));
    let oldest = o.oldest_seconds.map(|s| format!("oldest {}", words::duration(s)));
    let why = Some(o.last_error.clone()).filter(|e| !e.is_empty());
    let at = Some(o.address.clone()).filter(|a| !a.is_empty() && why.is_none());
    [oldest, next, why, at].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// A text that may hold anything, on one line of so many columns.
fn cut(text: &str, width: usize) -> String {
    let text = Visible(text).to_string();
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = Span::raw(c.to_string()).width();
        if used + wide > width {
            // Shown to go on.
            while used + 1 > width {
                let Some(last) = kept.pop() else { return kept };
                used -= Span::raw(last.to_string()).width();
            }
            kept.push('>');
            return kept;
        }
        kept.push(c);
        used += wide;
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::agent::control::snapshot::{Rule, Spool};

    fn drawn(view: &mut View, s: &Snapshot, size: (u16, u16), gone: &str) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
        let mut rates = Rates::default();
        rates.take(&Snapshot::default(), Instant::now());
        rates.take(s, Instant::now() + Duration::from_secs(1));
        terminal.draw(|f| view.draw(f, s, &rates, gone)).unwrap();
        let buffer = terminal.backend().buffer();
        let rows = buffer.content().chunks(usize::from(size.0));
        rows.map(|row| row.iter().map(|c| c.symbol()).collect::<String>().trim_end().to_owned()).collect()
    }

    fn agent() -> Snapshot {
        let rule = Rule { rule: "source prod01: types.send".to_owned(), dropped: 23_456 };
        let source = Source {
            name: "prod01".to_owned(),
            system: "PROD01".to_owned(),
            state: "reading".to_owned(),
            sequence: 4_711,
            receiver: "QGPL/AUDRCV0042".to_owned(),
            last_entry_age_seconds: Some(3),
            read: 123_456,
            filtered: 23_456,
            rules: vec![rule],
            ..Source::default()
        };
        let output = Output {
            name: "siem".to_owned(),
            address: "tls://siem:6514".to_owned(),
            sent: 99_000,
            waiting: 1_000,
            ..Output::default()
        };
        let spool = Spool { bytes: 40, max_bytes: 100, stuck: false };
        Snapshot {
            version: "0.1.0".to_owned(),
            sources: vec![source],
            outputs: vec![output],
            spool,
            ..Snapshot::default()
        }
    }

    #[test]
    fn the_screen_of_80_by_24_says_what_matters() {
        let rows = drawn(&mut View::new(true), &agent(), (80, 24), "");
        assert!(rows[0].starts_with("qaudjrn 0.1.0  up 0 s  configuration"), "{rows:#?}");
        assert_eq!(rows[1], "all is well");
        assert!(rows[2].starts_with("spool  40 % of 100 bytes  [################..."), "{}", rows[2]);
        assert_eq!(rows[4], "prod01                  -     123,456      23,456        0  3 s ago");
        assert_eq!(rows[5], "  reading; PROD01 QGPL/AUDRCV0042:4711");
        assert!(rows.iter().any(|r| r.contains("tls://siem:6514")) && rows[23] == "q ends", "{rows:#?}");
    }

    #[test]
    fn what_does_not_fit_is_reached_and_any_size_and_text_is_drawn() {
        let mut s = agent();
        let wild = "\u{1b}[2J\u{202e}名前\n".repeat(20);
        s.sources =
            (0..60).map(|n| Source { name: format!("s{n}"), state: wild.clone(), ..Source::default() }).collect();
        s.outputs[0] =
            Output { name: wild.clone(), last_error: wild.clone(), address: wild.clone(), ..Output::default() };
        s.wrong = vec![wild];
        let mut view = View::new(false);
        let rows = drawn(&mut view, &s, (80, 24), "");
        assert!(
            rows[1].starts_with("WRONG: \\x1b[2J") && rows[1].ends_with('>') && rows[23].contains("more lines: arrows"),
            "{rows:#?}"
        );
        view.scroll(10_000);
        let rows = drawn(&mut view, &s, (80, 24), "");
        assert!(
            rows.iter().any(|r| r.starts_with("      23,456") || r.contains("BY RULE") || r.contains("OUTPUT")),
            "{rows:#?}"
        );
        for size in [(1, 1), (10, 3), (40, 10), (120, 40), (300, 100)] {
            drawn(&mut view, &s, size, "");
        }
        view.scroll(-10_000);
        let rows = drawn(&mut view, &s, (80, 24), "the agent ended");
        assert_eq!(rows[1], "NO ANSWER: the agent ended");
    }

    #[test]
    fn a_tall_screen_has_a_picture() {
        let rows = drawn(&mut View::new(true), &agent(), (120, 40), "");
        assert!(rows.iter().any(|r| r.starts_with("delivered a second by all outputs")), "{rows:#?}");
    }
}
