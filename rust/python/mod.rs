//! The only folder that names pyo3: arguments in, one core function, result out.
