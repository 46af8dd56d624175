//! Where entries come from: capture files ([`capture`], [`follow`]; made of retrieve buffers and of history logs: [`derived`]), a folder
//! that captures arrive in ([`directory`]), a socket that a program on the IBM i writes to ([`stream`]), a live system ([`live`]).
//!
//! For: handing out records one by one together with the place to go on behind them ([`Feed`]), and telling from the
//! journal's own numbers whether something is missing ([`receiver_chain`]). Not for: decoding, filtering, storing: the agent does
//! that with what a feed hands out.
pub mod capture;
pub mod derived;
pub mod directory;
pub mod feed;
pub mod follow;
mod frame;
pub mod gap_detector;
pub mod live;
pub mod receiver_chain;
pub mod stream;
mod waiter;

pub use self::{
    capture::{Capture, CaptureError, Item},
    feed::{Checkpoint, Condition, Feed, FeedError, FeedEvent, MOST, Record, TOLD, WAIT},
    follow::{CaptureFeed, FilePlace},
};
use self::{
    frame::frame,
    waiter::{Until, Waiter, Woken},
};
