#include "tasks/functions/drivers.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kPython = R"PY(
import sys


class _Context:
    def __init__(self, header, env, start, clock):
        self.function_name = header['function']
        self.function_version = header['version']
        self.invoked_function_arn = header['arn']
        self.memory_limit_in_mb = header['memory']
        self.aws_request_id = header['id']
        self.log_group_name = env.get('AWS_LAMBDA_LOG_GROUP_NAME')
        self.log_stream_name = env.get('AWS_LAMBDA_LOG_STREAM_NAME')
        self.identity = None
        self.client_context = _object(header.get('client'))
        self._end = start + header['timeout'] / 1000.0
        self._clock = clock

    def get_remaining_time_in_millis(self):
        return max(0, int((self._end - self._clock()) * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


def _object(value):
    if not isinstance(value, dict):
        return None
    import types
    return types.SimpleNamespace(**value)


def _main():
    import json
    import os
    import socket
    import struct
    import time
    import traceback
    import importlib
    from decimal import Decimal

    os.set_inheritable(3, False)
    sock = socket.socket(fileno=3)
    sys.stdout.reconfigure(line_buffering=True)
    sys.path.insert(0, os.getcwd())
    stream = sock.makefile('rb')

    def send(letter, text):
        body = text.encode('utf-8', 'replace')
        sys.stdout.flush()
        sys.stderr.flush()
        sock.sendall(letter + struct.pack('<I', len(body)) + body)

    def number(value):
        if isinstance(value, Decimal):
            return int(value) if value == value.to_integral_value() else float(value)
        raise TypeError('Object of type %s is not JSON serializable' % type(value).__name__)

    def described(message, kind, request, trace):
        return json.dumps({'errorMessage': message, 'errorType': kind, 'requestId': request, 'stackTrace': trace})

    module, name = sys.argv[1], sys.argv[2]
    del sys.argv[1:]
    try:
        loaded = importlib.import_module(module.replace('/', '.'))
        handler = getattr(loaded, name, None)
        problem = None
        if handler is None:
            problem = ('Runtime.HandlerNotFound', "Handler '%s' missing on module '%s'" % (name, module), [])
    except SyntaxError as error:
        trace = ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)]
        problem = ('Runtime.UserCodeSyntaxError', "Syntax error in module '%s': %s" % (module, error), trace)
    except ImportError as error:
        problem = ('Runtime.ImportModuleError', "Unable to import module '%s': %s" % (module, error), [])
    except Exception as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__)
                  if f.filename != '<string>' and 'importlib' not in f.filename]
        problem = (type(error).__name__, str(error), traceback.format_list(frames))
    if problem:
        send(b'X', described(problem[1], problem[0], '', problem[2]))
        return
    if 'logging' in sys.modules:
        import logging
        if not logging.getLogger().handlers:
            logging.basicConfig(stream=sys.stderr, format='[%(levelname)s]\t%(asctime)s\t%(message)s')
    send(b'I', '')
    while True:
        sizes = stream.read(8)
        if len(sizes) < 8:
            return
        header_bytes, event_bytes = struct.unpack('<II', sizes)
        header = json.loads(stream.read(header_bytes))
        event = json.loads(stream.read(event_bytes))
        context = _Context(header, os.environ, time.monotonic(), time.monotonic)
        try:
            result = handler(event, context)
        except Exception as error:
            frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != '<string>']
            print('[ERROR] %s: %s\n%s' % (type(error).__name__, error, ''.join(traceback.format_list(frames))))
            send(b'E', described(str(error), type(error).__name__, header['id'], traceback.format_list(frames)))
            continue
        try:
            text = json.dumps(result, default=number, allow_nan=False)
        except Exception as error:
            send(b'E', described('Unable to marshal response: %s' % error, 'Runtime.MarshalError', header['id'], []))
            continue
        send(b'R', text)


_main()
)PY";

constexpr std::string_view kNode = R"JS(
'use strict';
const fs = require('fs');
const net = require('net');
const path = require('path');
const url = require('url');
const [moduleName, handlerName] = process.argv.slice(1);
process.argv.length = 1;
const socket = new net.Socket({ fd: 3, readable: true, writable: true });
let current = null;

function send(letter, text) {
  const body = Buffer.from(text, 'utf8');
  const head = Buffer.alloc(5);
  head.write(letter, 0, 'latin1');
  head.writeUInt32LE(body.length, 1);
  socket.write(Buffer.concat([head, body]));
}

function described(error, id) {
  const isError = error instanceof Error || (error && typeof error === 'object' && 'stack' in error);
  return JSON.stringify({
    errorType: isError ? String(error.name) : typeof error,
    errorMessage: isError ? String(error.message) : String(error),
    ...(id ? { requestId: id } : {}),
    trace: isError ? String(error.stack).split('\n') : [],
  });
}

function finish(id, error, result) {
  if (!current || current.id !== id) return;
  current = null;
  if (error !== null && error !== undefined) {
    console.error(error);
    return send('E', described(error, id));
  }
  let text;
  try {
    text = JSON.stringify(result === undefined ? null : result);
    if (text === undefined) throw new Error('the result is not JSON');
  } catch (problem) {
    problem.name = 'Runtime.MarshalError';
    return send('E', described(problem, id));
  }
  send('R', text);
}

function invoke(handler, header, eventText) {
  const started = process.hrtime.bigint();
  const id = header.id;
  current = header;
  const context = {
    functionName: header.function,
    functionVersion: header.version,
    invokedFunctionArn: header.arn,
    memoryLimitInMB: String(header.memory),
    awsRequestId: id,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: header.client,
    identity: undefined,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () =>
      Math.max(0, header.timeout - Number((process.hrtime.bigint() - started) / 1000000n)),
    done: (error, result) => finish(id, error, result),
    succeed: (result) => finish(id, null, result),
    fail: (error) => finish(id, error === undefined ? new Error('failed') : error),
  };
  try {
    const result = handler(JSON.parse(eventText), context, (error, value) => finish(id, error, value));
    if (result && typeof result.then === 'function') {
      result.then((value) => finish(id, null, value),
                  (error) => finish(id, error === undefined ? new Error('rejected') : error));
    } else if (handler.length < 3 && result !== undefined) {
      finish(id, null, result);
    }
  } catch (error) {
    finish(id, error);
  }
}

process.on('unhandledRejection', (error) => { throw error; });

async function main() {
  let handler;
  try {
    const file = ['.mjs', '.js', '.cjs'].map((end) => path.resolve(moduleName + end)).find((f) => fs.existsSync(f));
    if (!file) {
      const missing = new Error(`Error: Cannot find module '${moduleName}'`);
      missing.name = 'Runtime.ImportModuleError';
      throw missing;
    }
    const loaded = await import(url.pathToFileURL(file).href);
    handler = loaded[handlerName] || (loaded.default && loaded.default[handlerName]);
    if (typeof handler !== 'function') {
      const missing = new Error(`${moduleName}.${handlerName} is undefined or not exported`);
      missing.name = 'Runtime.HandlerNotFound';
      throw missing;
    }
  } catch (error) {
    if (error instanceof SyntaxError) error.name = 'Runtime.UserCodeSyntaxError';
    send('X', described(error, ''));
    socket.end();
    return;
  }
  send('I', '');
  let pending = Buffer.alloc(0);
  socket.on('data', (bytes) => {
    pending = pending.length ? Buffer.concat([pending, bytes]) : bytes;
    while (pending.length >= 8) {
      const headerBytes = pending.readUInt32LE(0), eventBytes = pending.readUInt32LE(4);
      if (pending.length < 8 + headerBytes + eventBytes) return;
      const header = JSON.parse(pending.toString('utf8', 8, 8 + headerBytes));
      const event = pending.toString('utf8', 8 + headerBytes, 8 + headerBytes + eventBytes);
      pending = pending.subarray(8 + headerBytes + eventBytes);
      invoke(handler, header, event);
    }
  });
  socket.on('end', () => process.exit(0));
}
main();
)JS";

}  // namespace

std::string_view python_driver() {
  return kPython;
}
std::string_view node_driver() {
  return kNode;
}

}  // namespace millrace::tasks
