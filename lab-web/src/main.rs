//! The one binary that the browser loads, on the page and in the worker alike.

fn main() {
    lab_web::start();
}
