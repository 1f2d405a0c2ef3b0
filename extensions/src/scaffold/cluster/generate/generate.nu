# Writes what is repeated: the cluster as JSON for other programs.
#   nu generate/generate.nu

def main [] {
    ^drp schema export ($env.FILE_PWD | path join ".." schemas cluster.ncl)
}
