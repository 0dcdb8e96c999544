//! Arguments in, exit code out.

fn main() -> std::process::ExitCode {
    ldap2scim::cli::main()
}
