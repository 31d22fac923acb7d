//! Sets up linking of the Node.js addon; does nothing for users of the plain crate.

fn main() {
    #[cfg(feature = "binding")]
    napi_build::setup();
}
