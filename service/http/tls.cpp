#include "service/http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "base/check.h"

namespace millrace::http {
namespace {

struct ContextCloser {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, ContextCloser>;
struct SessionCloser {
  void operator()(SSL* session) const noexcept { SSL_free(session); }
};

// The oldest error's reason, in words; the queue is empty afterwards.
std::string take_reason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* text = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return text ? text : "unknown error";
}

// HTTP/1.1 is what we speak; a client that offers nothing of it may find out by itself.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                    unsigned in_size, void*) {
  static constexpr unsigned char kOurs[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kOurs, sizeof kOurs - 1, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Result<Context> make_context(const std::string& certificate, const std::string& key) {
  ERR_clear_error();
  Context context(SSL_CTX_new(TLS_server_method()));
  if (!context) return fail(ErrorCode::Internal, "TLS can't be set up: " + take_reason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(),
                      SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  // Nobody is there to type a password.
  SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return 0; });
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1)
    return invalid("can't use the certificate " + certificate + ": " + take_reason(),
                   "--tls-cert takes a PEM file: the certificate, then those that signed it");
  if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
    return invalid("can't use the key " + key + ": " + take_reason(),
                   "--tls-key takes a PEM file without a password, of the certificate's own key");
  return context;
}

class OpenSslSession final : public TlsSession {
 public:
  explicit OpenSslSession(SSL_CTX* context) : session_(SSL_new(context)) {
    MR_CHECK(session_ != nullptr, "a TLS session can be made");
    BIO* in = BIO_new(BIO_s_mem());
    BIO* out = BIO_new(BIO_s_mem());
    MR_CHECK(in && out, "buffers of a TLS session can be made");
    // An empty buffer means: wait, not: the end.
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(session_.get(), in, out);
    SSL_set_accept_state(session_.get());
  }

  State state() const override { return state_; }

  State receive(std::string_view bytes, std::string& plain, std::string& wire) override {
    MR_CHECK(bytes.size() <= INT_MAX, "what a socket gives at once is small");
    if (state_ == State::Broken) return state_;
    ERR_clear_error();
    const int size = static_cast<int>(bytes.size());
    if (BIO_write(SSL_get_rbio(session_.get()), bytes.data(), size) != size) return broken();
    if (state_ == State::Handshake) {
      const int done = SSL_do_handshake(session_.get());
      if (done == 1)
        state_ = State::Open;
      else if (const int why = SSL_get_error(session_.get(), done);
               why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        broken();
    }
    if (state_ == State::Open) read(plain);
    drain(wire);
    return state_;
  }

  std::string protect(std::string_view plain) override {
    std::string wire;
    ERR_clear_error();
    while (!plain.empty() && (state_ == State::Open || state_ == State::Ended)) {
      const std::size_t piece = std::min<std::size_t>(plain.size(), 1u << 20);
      const int written = SSL_write(session_.get(), plain.data(), static_cast<int>(piece));
      if (written <= 0) {
        broken();
        break;
      }
      plain.remove_prefix(static_cast<std::size_t>(written));
    }
    drain(wire);
    return wire;
  }

  std::string end() override {
    std::string wire;
    if (std::exchange(told_, true) || state_ == State::Handshake || state_ == State::Broken) return wire;
    ERR_clear_error();
    SSL_shutdown(session_.get());
    ERR_clear_error();
    drain(wire);
    return wire;
  }

  bool met_plain_http() const override { return plain_http_; }

 private:
  void read(std::string& plain) {
    char buffer[16 * 1024];
    for (;;) {
      const int got = SSL_read(session_.get(), buffer, sizeof buffer);
      if (got > 0) {
        plain.append(buffer, static_cast<std::size_t>(got));
        continue;
      }
      const int why = SSL_get_error(session_.get(), got);
      if (why == SSL_ERROR_ZERO_RETURN)
        state_ = State::Ended;
      else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        broken();
      return;
    }
  }
  State broken() {
    plain_http_ = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
    ERR_clear_error();
    return state_ = State::Broken;
  }
  // What OpenSSL wants to have sent.
  void drain(std::string& wire) {
    BIO* out = SSL_get_wbio(session_.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out, &bytes);
    if (size > 0) wire.append(bytes, static_cast<std::size_t>(size));
    (void)BIO_reset(out);
  }

  std::unique_ptr<SSL, SessionCloser> session_;
  State state_ = State::Handshake;
  bool told_ = false;
  bool plain_http_ = false;
};

class OpenSslContext final : public TlsContext {
 public:
  OpenSslContext(std::string certificate, std::string key, Context context)
      : certificate_(std::move(certificate)), key_(std::move(key)), context_(std::move(context)) {}
  Status reload() override {
    MR_TRY(context, make_context(certificate_, key_));
    // Sessions hold what they were made from.
    context_ = std::move(context);
    return {};
  }
  std::unique_ptr<TlsSession> session() override { return std::make_unique<OpenSslSession>(context_.get()); }

 private:
  const std::string certificate_, key_;
  Context context_;
};

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::load(const std::string& certificate, const std::string& key) {
  MR_TRY(context, make_context(certificate, key));
  return std::shared_ptr<TlsContext>(std::make_shared<OpenSslContext>(certificate, key, std::move(context)));
}

}  // namespace millrace::http
