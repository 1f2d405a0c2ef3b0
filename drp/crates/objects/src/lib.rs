//! drp-objects
