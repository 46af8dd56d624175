//! `timezone`, in the file and on the command line.
use chrono_tz::Tz;

use super::read::{Placed, Reader, Section};
use crate::filter::types::distance;

/// `timezone`; UTC unless one is given.
pub fn zone(t: &mut Section<'_>, r: &mut Reader<'_>) -> Tz {
    let Some(Placed { value, place }) = t.string("timezone", r) else { return Tz::UTC };
    time_zone(&value).unwrap_or_else(|e| {
        r.error(place, format!("{} = {value:?}: {e}", t.name("timezone")));
        Tz::UTC
    })
}

/// A time zone by its IANA name; the nearest one where there is none.
pub fn time_zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| {
        // Most people write the city: Berlin is Europe/Berlin, and not as near to Iran.
        let text = text.to_lowercase().replace(' ', "_");
        let far = |zone: &str| {
            let zone = zone.to_lowercase();
            let city = zone.rsplit('/').next().map_or(usize::MAX, |city| distance(city, &text));
            city.min(distance(&zone, &text))
        };
        let nearest = chrono_tz::TZ_VARIANTS.iter().map(|z| z.name()).min_by_key(|z| (far(z), !z.contains('/')));
        format!("expected an IANA time zone such as Europe/Berlin; did you mean {}?", nearest.unwrap_or("UTC"))
    })
}
