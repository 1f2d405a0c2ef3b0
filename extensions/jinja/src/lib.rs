//! Jinja2 templates of extensions: strict about undefined variables, bounded in work and output.
