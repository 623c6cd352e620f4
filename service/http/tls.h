#pragma once
// TLS of connections, in memory: bytes of the wire in, plain bytes out, and the other way; whoever owns the
// socket moves them. Version 1.2 and later, no renegotiation, no compression. Loop thread only. OpenSSL does
// the work, in tls.cpp only. Source: RFC 8446, RFC 5246.

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::http {

// One connection's TLS.
class TlsSession {
 public:
  virtual ~TlsSession() = default;

  enum class State {
    Handshake,  // no plain bytes yet
    Open,
    Ended,   // the other side said that nothing more comes (close_notify)
    Broken,  // the connection is of no more use
  };
  virtual State state() const = 0;
  // Takes bytes from the wire: what they hold is appended to `plain`, what has to go back (handshake, alerts)
  // to `wire`, also when it breaks.
  virtual State receive(std::string_view bytes, std::string& plain, std::string& wire) = 0;
  // The bytes as they go over the wire; only while Open or Ended.
  virtual std::string protect(std::string_view plain) = 0;
  // close_notify, once; empty when there is nobody to tell.
  virtual std::string end() = 0;
  // It broke because the client speaks plain HTTP.
  virtual bool met_plain_http() const = 0;
};

// The certificate and key that sessions use.
class TlsContext {
 public:
  virtual ~TlsContext() = default;
  // PEM files: the certificate with its chain, and its key. InvalidArgument names the file and the reason.
  static Result<std::shared_ptr<TlsContext>> load(const std::string& certificate, const std::string& key);
  // Reads both files again, for sessions that begin from now on. An error leaves what was there.
  virtual Status reload() = 0;
  virtual std::unique_ptr<TlsSession> session() = 0;
};

}  // namespace millrace::http
