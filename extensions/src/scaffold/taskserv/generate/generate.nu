# Writes what is repeated: the example of a configuration, as JSON for other programs.
#   nu generate/generate.nu

def main [] {
    open ($env.FILE_PWD | path join ".." examples config.toml) | to json
}
