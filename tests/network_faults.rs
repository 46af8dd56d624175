//! Faults of the network and of receivers: nothing is lost, waits end, reasons are told. The tests are in `tests/network`.
mod network;
