//! drp-bmc
