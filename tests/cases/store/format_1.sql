-- A home of format 1: one state machine, an execution that succeeded and one that failed. Made by exporting a home's
-- rows in the columns that format 1 had; the blobs are packed histories (orchestrator/store/codec.h).
INSERT INTO machines(id, family, arn, name, role_arn, definition, hash, created) VALUES(1, 1, 'arn:aws:states:us-east-1:123456789012:stateMachine:hello', 'hello', 'arn:aws:iam::123456789012:role/millrace', '{
  "Comment": "Greets a person in their language",
  "StartAt": "Which language?",
  "States": {
    "Which language?": {
      "Type": "Choice",
      "Choices": [
        {"Variable": "$.language", "StringEquals": "de", "Next": "German"},
        {"Variable": "$.language", "StringEquals": "fr", "Next": "French"}
      ],
      "Default": "English"
    },
    "German": {"Type": "Pass", "Result": "Guten Tag", "ResultPath": "$.words", "Next": "Greet"},
    "French": {"Type": "Pass", "Result": "Bonjour", "ResultPath": "$.words", "Next": "Greet"},
    "English": {"Type": "Pass", "Result": "Hello", "ResultPath": "$.words", "Next": "Greet"},
    "Greet": {
      "Type": "Pass",
      "Parameters": {"greeting.$": "States.Format(''{}, {}!'', $.words, $.name)"},
      "Next": "Done"
    },
    "Done": {"Type": "Succeed"}
  }
}
', '5d344fac5e8d7a81824e511d2c8249002f015660c661bfdcec7a78956efb7b13', 1795269682018);
INSERT INTO executions(id, machine, family, name, status, started, stopped, due, tasks_out, events) VALUES(1, 1, 1, 'try-1', 1, 1795269682020, 1795269682020, NULL, 0, 10);
INSERT INTO history(execution, last, events) VALUES(1, 10, X'0280048386f0add23b0a01010202c88dcbe6bf680001003b61726e3a6177733a7374617465733a75732d656173742d313a3132333435363738393031323a657865637574696f6e3a68656c6c6f3a7472792d3101057472792d31023861726e3a6177733a7374617465733a75732d656173742d313a3132333435363738393031323a73746174654d616368696e653a68656c6c6f030568656c6c6f042761726e3a6177733a69616d3a3a3132333435363738393031323a726f6c652f6d696c6c726163650500050000207b226e616d65223a224772616365222c226c616e6775616765223a226672227d0c040204000101060f5768696368206c616e67756167653f000d0502020001010600000a04020200010307064672656e6368000b050202000103070100327b226e616d65223a224772616365222c226c616e6775616765223a226672222c22776f726473223a22426f6e6a6f7572227d000a04020200010508054772656574010b0502020001050802001e7b226772656574696e67223a22426f6e6a6f75722c20477261636521227d00110402020001060904446f6e6502120502020001060902000202020200000102');
