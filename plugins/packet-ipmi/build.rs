//! Bundles `content/`.

fn main() {
    drp_content::build::bundle();
}
