//! drp-host
