#pragma once
// The program that serves a user's inference.py: `python3 -c DRIVER module`. It
// loads the module from the directory it is started in, calls
// model_fn(SM_MODEL_DIR) once, and serves /ping and /invocations on
// SAGEMAKER_BIND_TO_PORT, one request at a time. Python's standard library
// only; with NumPy there rows come as arrays. Any thread.

#include <string_view>

namespace millrace::tasks {

std::string_view script_driver();

}  // namespace millrace::tasks
