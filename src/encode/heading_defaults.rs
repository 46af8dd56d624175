//! What stands in for fields that a heading does not hold.

/// What the user gave for headings that do not hold it. In the job's character set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadingDefaults {
    /// `--system`.
    pub system: Vec<u8>,
    /// `--receiver`.
    pub receiver: Vec<u8>,
    /// `--receiver-library`.
    pub receiver_library: Vec<u8>,
}
