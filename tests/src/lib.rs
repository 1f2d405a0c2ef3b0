//! drp-tests
