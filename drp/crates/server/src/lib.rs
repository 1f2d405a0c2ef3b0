//! drp-server
