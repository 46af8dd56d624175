//! The presets that come with the program: `filters/NAME.toml`.

/// Name and text.
const PRESETS: [(&str, &str); 4] = [
    ("security", include_str!("../../filters/security.toml")),
    ("ibm-profiles", include_str!("../../filters/ibm-profiles.toml")),
    ("low-value-system-values", include_str!("../../filters/low-value-system-values.toml")),
    ("temp-paths", include_str!("../../filters/temp-paths.toml")),
];

/// The text of a shipped preset.
pub fn shipped(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// Their names.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(n, _)| *n)
}
