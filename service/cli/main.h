#pragma once
// The `millrace` command.

namespace millrace::cli {
int run_main(int argc, char** argv);
}
