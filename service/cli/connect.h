#pragma once
// connect: whom a command asks: a server or the home itself.

#include <memory>

#include "service/cli/command.h"
#include "service/client/access.h"
#include "service/client/local.h"

namespace millrace::cli {

// In this order, what is given first: --endpoint; --home; MILLRACE_ENDPOINT; MILLRACE_HOME;
// AWS_ENDPOINT_URL_SFN; AWS_ENDPOINT_URL; ./.millrace. A home that a server has open is asked through that
// server; else it is opened in this process. NotFound when there is no home to look at; Unavailable when it
// is in use, or no server answers (told by the first call).
Result<std::unique_ptr<client::Access>> connect(const Shared& shared, client::Use use);

// The same for changes of a home that is there: none is made. NotFound.
Result<std::unique_ptr<client::Access>> connect_existing(const Shared& shared);

}  // namespace millrace::cli
