//! Captures whose records are made out of what a file holds: of messages of the history log, of rows, of retrieve buffers.
//!
//! The records that were handed out are counted. To go on, the file is read from its start, and as many records are passed over: the
//! same bytes make the same records.
use std::{cell::RefCell, fs::File, io::Read, rc::Rc, sync::Arc};

use super::{CHUNK, Capture, CaptureError, Cutter};
use crate::{
    decode::journal::{
        Heading,
        detect::{Found, HistoryForm, Unknown},
        record::Framing,
    },
    source::derived::read_trace::{ReadTrace, TruncatedTail},
};

/// How far a capture of derived records is.
pub(super) struct DerivedRecords {
    pub(super) trace: Rc<RefCell<ReadTrace>>,
    pub(super) cut: TruncatedTail,
    /// Records that were handed out.
    pub(super) records: u64,
    /// Those among them that were passed over.
    pub(super) passed: u64,
}

impl DerivedRecords {
    /// Whether the record that was handed out last was made of what the file ended within.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.get().is_some_and(|cut| cut.number + 1 == self.records)
    }
}

/// Records that are made of a file.
pub(super) struct DerivedSource {
    pub(super) name: String,
    pub(super) records: Box<dyn Read>,
    pub(super) heading: Arc<Heading>,
    pub(super) history: Option<HistoryForm>,
    pub(super) file: Option<File>,
    pub(super) trace: Rc<RefCell<ReadTrace>>,
    pub(super) cut: TruncatedTail,
}

impl Capture {
    /// Records that are made. What they are is known: nothing is to be found out from them.
    pub(super) fn derived(source: DerivedSource) -> Result<Capture, CaptureError> {
        let DerivedSource { name, mut records, heading, history, file, trace, cut } = source;
        let mut buffer = vec![0; CHUNK];
        // The first read tells whether it is what it is to be.
        let got = records.read(&mut buffer).map_err(|e| CaptureError::reading(name.clone(), 0, e))?;
        buffer.truncate(got);
        let is_export = matches!(history, Some(HistoryForm::Csv | HistoryForm::Json));
        if got == 0 && !is_export {
            return Err(CaptureError::Unknown { name, reason: Unknown::Empty });
        }
        let cutter = Cutter::new(heading.clone(), Framing::Stream, false);
        Ok(Capture {
            name,
            input: records,
            next: Some(cutter.next(&buffer, got == 0)),
            cutter,
            torn: None,
            cut_before: false,
            damage: Vec::new(),
            packed: None,
            found: Found { heading, framing: Framing::Stream, history },
            certain: true,
            head: Vec::new(),
            behind: Vec::new(),
            cut: 0,
            start: 0,
            end: got,
            buffer,
            offset: 0,
            ended: got == 0,
            size: None,
            file,
            derived: Some(DerivedRecords { trace, cut, records: 0, passed: 0 }),
        })
    }

    /// Passes over records that were handed out before.
    pub fn pass_over(&mut self, records: u64) -> Result<(), CaptureError> {
        for _ in 0..records {
            if self.next()?.is_none() {
                break;
            }
        }
        if let Some(derived) = &mut self.derived {
            derived.passed = derived.records;
        }
        Ok(())
    }
}
