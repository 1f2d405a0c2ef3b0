//! drp-bmc-sim
