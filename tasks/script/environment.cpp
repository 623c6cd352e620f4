#include "tasks/script/environment.h"

#include <cstdlib>

namespace millrace::tasks {
namespace {

constexpr const char* kInherited[] = {
    "PATH",       "HOME",        "LANG",         "LC_ALL",     "TZ",           "LD_LIBRARY_PATH",
    "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX", "PYENV_ROOT", "PYENV_VERSION"};

}  // namespace

std::map<std::string, std::string> inherited_variables(const std::vector<std::string>& more) {
  std::map<std::string, std::string> variables;
  for (const char* name : kInherited)
    if (const char* value = std::getenv(name)) variables[name] = value;
  for (const std::string& name : more)
    if (const char* value = std::getenv(name.c_str())) variables[name] = value;
  variables.try_emplace("PATH", "/usr/local/bin:/usr/bin:/bin");
  return variables;
}

}  // namespace millrace::tasks
