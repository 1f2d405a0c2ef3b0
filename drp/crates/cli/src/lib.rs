//! drp-cli
