#include "service/cli/connect.h"

#include <cstdlib>

#include "service/client/remote.h"
#include "service/home.h"
#include "service/serve_file.h"

namespace millrace::cli {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// Empty: the home.
std::string chosen_endpoint(const Shared& shared) {
  if (!shared.endpoint.empty()) return shared.endpoint;
  if (!shared.home.empty()) return {};
  if (std::string url = variable("MILLRACE_ENDPOINT"); !url.empty()) return url;
  if (!variable("MILLRACE_HOME").empty()) return {};
  if (std::string url = variable("AWS_ENDPOINT_URL_SFN"); !url.empty()) return url;
  return variable("AWS_ENDPOINT_URL");
}

const Clock& wall_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace

Result<std::unique_ptr<client::Access>> connect(const Shared& shared, client::Use use) {
  client::RemoteSettings settings;
  settings.endpoint = chosen_endpoint(shared);
  if (settings.endpoint.empty()) {
    const std::string home = service::home_path(shared.home);
    const auto server = service::find_server(home);
    if (!server) return client::open_local(home, use);
    settings.endpoint = *server;
  }
  MR_TRY(credentials, client::find_credentials(shared.profile));
  settings.credentials = std::move(credentials);
  const std::size_t scheme = settings.endpoint.find("://");
  const std::string host = scheme == std::string::npos ? "" : settings.endpoint.substr(scheme + 3);
  settings.region = client::find_region(host.substr(0, host.find_first_of(":/")));
  settings.seed = service::draw_seed();
  return client::open_remote(std::move(settings), wall_clock());
}

Result<std::unique_ptr<client::Access>> connect_existing(const Shared& shared) {
  MR_DO(connect(shared, client::Use::Look));
  return connect(shared, client::Use::Change);
}

}  // namespace millrace::cli
