//! drp-store
