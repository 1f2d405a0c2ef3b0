//! drp-ipmi
