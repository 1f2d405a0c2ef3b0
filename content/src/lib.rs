//! drp-content
