#include "tasks/deployment/script_driver.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kInferenceDriver = R"PY(
import sys


class _Wrong(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def _main():
    import csv
    import http.server
    import importlib
    import io
    import json
    import os
    import threading
    import traceback
    try:
        import numpy
    except ImportError:
        numpy = None

    sys.stdout.reconfigure(line_buffering=True)
    sys.path.insert(0, os.getcwd())
    name = sys.argv[1]
    del sys.argv[1:]
    module = importlib.import_module(name)
    texts = ('text/', 'application/json', 'application/jsonlines', 'application/x-ndjson')

    def number(cell):
        try:
            return float(cell)
        except ValueError:
            return cell

    def rows_in(body, kind):
        if kind == 'text/csv':
            rows = [[number(cell) for cell in row] for row in csv.reader(io.StringIO(body)) if row]
        elif kind == 'application/json':
            rows = json.loads(body)
        elif kind in ('application/jsonlines', 'application/x-ndjson'):
            rows = [json.loads(line) for line in body.splitlines() if line.strip()]
        elif kind == 'application/x-npy' and numpy is not None:
            return numpy.load(io.BytesIO(body), allow_pickle=False)
        else:
            raise _Wrong(415, 'content type "%s" is not supported; define input_fn for it' % kind)
        return numpy.array(rows) if numpy is not None and isinstance(rows, list) else rows

    def predict(data, model):
        return model.predict(data)

    def plain(value):
        return value.tolist() if hasattr(value, 'tolist') else value

    def rows_out(prediction, kind):
        prediction = plain(prediction)
        if kind == 'text/csv':
            out = io.StringIO()
            writer = csv.writer(out, lineterminator='\n')
            for row in prediction if isinstance(prediction, (list, tuple)) else [prediction]:
                writer.writerow(row if isinstance(row, (list, tuple)) else [row])
            return out.getvalue(), kind
        if kind == 'application/jsonlines':
            return ''.join(json.dumps(plain(row)) + '\n' for row in prediction), kind
        return json.dumps(prediction, default=plain), 'application/json'

    def of_module(function, otherwise):
        return getattr(module, function, None) or otherwise

    model_fn = getattr(module, 'model_fn', None)
    if model_fn is None:
        raise SystemExit('%s.py has no model_fn(model_dir)' % name)
    model = model_fn(os.environ.get('SM_MODEL_DIR', '/opt/ml/model'))
    input_fn, predict_fn = of_module('input_fn', rows_in), of_module('predict_fn', predict)
    output_fn, transform_fn = of_module('output_fn', rows_out), getattr(module, 'transform_fn', None)
    one_at_a_time = threading.Lock()

    def answer(body, content_type, accept):
        kind = content_type.split(';')[0].strip().lower()
        if kind.startswith(texts):
            body = body.decode('utf-8')
        if transform_fn is not None:
            result = transform_fn(model, body, content_type, accept)
        else:
            result = output_fn(predict_fn(input_fn(body, kind), model), accept)
        if isinstance(result, tuple):
            return result[0], result[1]
        if hasattr(result, 'response') and hasattr(result, 'mimetype'):
            return result.response, result.mimetype
        return result, accept

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'
        wbufsize = -1
        disable_nagle_algorithm = True

        def reply(self, status, body, content_type='text/plain; charset=utf-8'):
            data = body if isinstance(body, (bytes, bytearray)) else str(body).encode('utf-8')
            self.send_response(status)
            self.send_header('Content-Type', content_type)
            self.send_header('Content-Length', str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self):
            self.reply(200 if self.path == '/ping' else 404, '')

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
            if self.path != '/invocations':
                return self.reply(404, '')
            content_type = self.headers.get('Content-Type') or 'text/csv'
            accept = (self.headers.get('Accept') or '*/*').split(',')[0].split(';')[0].strip()
            if accept in ('', '*/*'):
                accept = os.environ.get('SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT', content_type.split(';')[0].strip())
            try:
                with one_at_a_time:
                    body, content_type = answer(body, content_type, accept)
            except _Wrong as error:
                return self.reply(error.status, str(error))
            except Exception as error:
                traceback.print_exc()
                return self.reply(500, '%s: %s' % (type(error).__name__, error))
            self.reply(200, body, content_type)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

    server = Server(('127.0.0.1', int(os.environ['SAGEMAKER_BIND_TO_PORT'])), Handler)
    server.serve_forever()


_main()
)PY";

}  // namespace

std::string_view script_driver() {
  return kInferenceDriver;
}

}  // namespace millrace::tasks
