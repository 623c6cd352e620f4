#include "tasks/catalog_services.h"

#include "tasks/functions/invoke.h"
#include "tasks/integrations/data_tasks.h"
#include "tasks/integrations/events/operations.h"
#include "tasks/integrations/sns/operations.h"
#include "tasks/metrics/task_parameters.h"
#include "tasks/storage/s3_operations.h"

namespace millrace::tasks {
namespace {

using ServiceParameter = Parameter;

constexpr ServiceParameter kInvokeFunctionParameters[] = {
    {"FunctionName", "string", true, "name, partial or whole ARN, with or without a qualifier"},
    {"Payload", "any", false, "the event; {} when absent"},
    {"Qualifier", "string", false, "accepted: a function has one version, its files"},
    {"InvocationType", "string", false, "RequestResponse (default), Event, DryRun"},
    {"LogType", "string", false, "Tail: LogResult has the end of the log"},
    {"ClientContext", "string", false, "JSON in Base64, for the handler's context"},
};
constexpr ServiceParameter kObjectParameters[] = {{"Bucket", "string", true}, {"Key", "string", true}};
constexpr ServiceParameter kGetObjectParameters[] = {
    {"Bucket", "string", true}, {"Key", "string", true}, {"Range", "string", false, "bytes=0-99"}};
constexpr ServiceParameter kPutObjectParameters[] = {
    {"Bucket", "string", true},
    {"Key", "string", true},
    {"Body", "any", false, "written as JSON text"},
    {"IfNoneMatch", "string", false, "*: only when there is no such object"},
    {"IfMatch", "string", false, "only over the object with this ETag"},
};
constexpr ServiceParameter kBucketParameters[] = {{"Bucket", "string", true}};
constexpr ServiceParameter kDeleteObjectsParameters[] = {
    {"Bucket", "string", true}, {"Delete", "object", true, "Objects: up to 1000 with a Key; Quiet"}};
constexpr ServiceParameter kObjectAttributesParameters[] = {
    {"Bucket", "string", true},
    {"Key", "string", true},
    {"ObjectAttributes", "array", true, "ETag, ObjectSize, StorageClass; others are left out"}};
constexpr ServiceParameter kListObjectsV1Parameters[] = {
    {"Bucket", "string", true},
    {"Prefix", "string", false},
    {"Delimiter", "string", false, "what is alike up to it behind the prefix is one of CommonPrefixes"},
    {"MaxKeys", "number", false, "1000; at most that"},
    {"Marker", "string", false, "a key to begin behind"},
};
constexpr ServiceParameter kCopyObjectParameters[] = {
    {"Bucket", "string", true}, {"Key", "string", true}, {"CopySource", "string", true, "bucket/key"}};
constexpr ServiceParameter kListObjectsParameters[] = {
    {"Bucket", "string", true},
    {"Prefix", "string", false},
    {"Delimiter", "string", false, "what is alike up to it behind the prefix is one of CommonPrefixes"},
    {"MaxKeys", "number", false, "1000; at most that"},
    {"StartAfter", "string", false, "a key"},
    {"ContinuationToken", "string", false, "NextContinuationToken of the page before"},
};
constexpr ServiceParameter kTableName[] = {{"TableName", "string", true, "name or ARN"}};
constexpr ServiceParameter kListTablesParameters[] = {
    {"Limit", "number", false, "100; at most that"},
    {"ExclusiveStartTableName", "string", false, "of the page before"}};
constexpr ServiceParameter kCreateTableParameters[] = {
    {"TableName", "string", true, "unique"},
    {"AttributeDefinitions", "array", true, "AttributeName, AttributeType S, N or B: of keys only"},
    {"KeySchema", "array", true, "AttributeName, KeyType HASH, then perhaps RANGE"},
    {"GlobalSecondaryIndexes", "array", false, "IndexName, KeySchema, Projection"},
    {"LocalSecondaryIndexes", "array", false, "IndexName, KeySchema, Projection"},
    {"BillingMode", "string", false, "accepted, without effect"},
};
constexpr ServiceParameter kGetItemParameters[] = {
    {"TableName", "string", true, "name or ARN"},
    {"Key", "map", true, "the key's attributes in DynamoDB JSON"},
    {"ProjectionExpression", "string", false, "paths"},
    {"ExpressionAttributeNames", "map", false, "#name: attribute"},
    {"ConsistentRead", "boolean", false, "accepted: every read is consistent"},
};
constexpr ServiceParameter kPutItemParameters[] = {
    {"TableName", "string", true, "name or ARN"},
    {"Item", "map", true, "all attributes in DynamoDB JSON"},
    {"ConditionExpression", "string", false, "else ConditionalCheckFailedException"},
    {"ExpressionAttributeNames", "map", false, "#name: attribute"},
    {"ExpressionAttributeValues", "map", false, ":name: value"},
    {"ReturnValues", "string", false, "NONE (default), ALL_OLD"},
};
constexpr ServiceParameter kDeleteItemParameters[] = {
    {"TableName", "string", true, "name or ARN"},
    {"Key", "map", true, "the key's attributes in DynamoDB JSON"},
    {"ConditionExpression", "string", false, "else ConditionalCheckFailedException"},
    {"ExpressionAttributeNames", "map", false, "#name: attribute"},
    {"ExpressionAttributeValues", "map", false, ":name: value"},
    {"ReturnValues", "string", false, "NONE (default), ALL_OLD"},
};
constexpr ServiceParameter kUpdateItemParameters[] = {
    {"TableName", "string", true, "name or ARN"},
    {"Key", "map", true, "the key's attributes in DynamoDB JSON"},
    {"UpdateExpression", "string", false, "SET, REMOVE, ADD, DELETE"},
    {"ConditionExpression", "string", false, "else ConditionalCheckFailedException"},
    {"ExpressionAttributeNames", "map", false, "#name: attribute"},
    {"ExpressionAttributeValues", "map", false, ":name: value"},
    {"ReturnValues", "string", false, "NONE (default), ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATED_NEW"},
};
constexpr ServiceParameter kScanParameters[] = {
    {"TableName", "string", true, "name or ARN"},
    {"IndexName", "string", false, "a secondary index"},
    {"FilterExpression", "string", false, "of what is read"},
    {"ProjectionExpression", "string", false, "paths"},
    {"ExpressionAttributeNames", "map", false, "#name: attribute"},
    {"ExpressionAttributeValues", "map", false, ":name: value"},
    {"Limit", "number", false, "items to look at; a page ends at 1 MB"},
    {"ExclusiveStartKey", "map", false, "LastEvaluatedKey of the page before"},
    {"Select", "string", false, "COUNT: only the number"},
    {"Segment", "number", false, "with TotalSegments"},
    {"TotalSegments", "number", false, "of scans side by side"},
};
constexpr ServiceParameter kQueryParameters[] = {
    {"TableName", "string", true, "name or ARN"},
    {"KeyConditionExpression", "string", true, "hash = :v, perhaps AND a condition of the range key"},
    {"IndexName", "string", false, "a secondary index"},
    {"FilterExpression", "string", false, "of what is read"},
    {"ProjectionExpression", "string", false, "paths"},
    {"ExpressionAttributeNames", "map", false, "#name: attribute"},
    {"ExpressionAttributeValues", "map", false, ":name: value"},
    {"ScanIndexForward", "boolean", false, "false: descending"},
    {"Limit", "number", false, "items to look at; a page ends at 1 MB"},
    {"ExclusiveStartKey", "map", false, "LastEvaluatedKey of the page before"},
    {"Select", "string", false, "COUNT: only the number"},
};
constexpr ServiceParameter kBatchItemsParameters[] = {{"RequestItems", "map", true, "by table"}};
constexpr ServiceParameter kTransactParameters[] = {{"TransactItems", "array", true, "Get"}};
constexpr ServiceParameter kTransactWriteParameters[] = {
    {"TransactItems", "array", true, "Put, Update, Delete, ConditionCheck"},
    {"ClientRequestToken", "string", false, "the same within 10 minutes is done once"}};
constexpr ServiceParameter kQueueUrl[] = {{"QueueUrl", "string", true, "URL, ARN or name"}};
constexpr ServiceParameter kQueueName[] = {{"QueueName", "string", true}};
constexpr ServiceParameter kStreamRecordParameters[] = {
    {"StreamName", "string", false, "or StreamARN"},
    {"StreamARN", "string", false},
    {"Data", "any", true, "text; what is no text is put as JSON"},
    {"PartitionKey", "string", true, "records of one key stay in order"},
    {"ExplicitHashKey", "string", false, "instead of the key's hash"},
    {"SequenceNumberForOrdering", "string", false},
};
constexpr ServiceParameter kStreamRecordsParameters[] = {
    {"StreamName", "string", false, "or StreamARN"},
    {"StreamARN", "string", false},
    {"Records", "array", true, "up to 500, each with Data and PartitionKey"},
};
constexpr ServiceParameter kSendParameters[] = {
    {"QueueUrl", "string", true, "URL, ARN or name"},
    {"MessageBody", "any", true, "text; what is no text is sent as JSON"},
    {"MessageAttributes", "map", false, "DataType, StringValue or BinaryValue by name"},
    {"DelaySeconds", "number", false, "0 to 900; else the queue's"},
    {"MessageGroupId", "string", false, "of a FIFO queue"},
    {"MessageDeduplicationId", "string", false, "of a FIFO queue"},
};
constexpr ServiceParameter kReceiveParameters[] = {
    {"QueueUrl", "string", true, "URL, ARN or name"},
    {"MaxNumberOfMessages", "number", false, "1 (default) to 10"},
    {"WaitTimeSeconds", "number", false, "0 to 20; else the queue's"},
    {"VisibilityTimeout", "number", false, "0 to 43200; else the queue's"},
    {"MessageAttributeNames", "array", false, "names, All"},
    {"MessageSystemAttributeNames", "array", false, "names, All"},
};
constexpr ServiceParameter kReceiptParameters[] = {{"QueueUrl", "string", true, "URL, ARN or name"},
                                                   {"ReceiptHandle", "string", true, "of receiveMessage"}};
constexpr ServiceParameter kVisibilityParameters[] = {
    {"QueueUrl", "string", true, "URL, ARN or name"},
    {"ReceiptHandle", "string", true, "of receiveMessage"},
    {"VisibilityTimeout", "number", true, "0 to 43200 from now"}};
constexpr ServiceParameter kBatchEntriesParameters[] = {
    {"QueueUrl", "string", true, "URL, ARN or name"},
    {"Entries", "array", true, "up to 10, each with an Id"}};
constexpr ServiceParameter kCreateQueueParameters[] = {
    {"QueueName", "string", true, "ends in .fifo when it is one"},
    {"Attributes", "map", false, "VisibilityTimeout, DelaySeconds, RedrivePolicy, FifoQueue, …"},
};
constexpr ServiceParameter kQueueAttributesParameters[] = {{"QueueUrl", "string", true, "URL, ARN or name"},
                                                           {"AttributeNames", "array", false, "names, All"}};
constexpr ServiceParameter kListQueuesParameters[] = {{"QueueNamePrefix", "string", false},
                                                      {"MaxResults", "number", false, "1000; at most that"},
                                                      {"NextToken", "string", false, "of the page before"}};
constexpr ServiceParameter kSetQueueParameters[] = {{"QueueUrl", "string", true, "URL, ARN or name"},
                                                    {"Attributes", "map", true, "those that change"}};
constexpr ServiceParameter kTagQueueParameters[] = {{"QueueUrl", "string", true, "URL, ARN or name"},
                                                    {"Tags", "map", true}};
constexpr ServiceParameter kUntagQueueParameters[] = {{"QueueUrl", "string", true, "URL, ARN or name"},
                                                      {"TagKeys", "array", true}};
constexpr ServiceParameter kPutEventsParameters[] = {
    {"Entries", "array", true,
     "Source, DetailType, Detail (an object or its text), EventBusName, Resources, Time"}};
constexpr ServiceParameter kConnectionName[] = {{"Name", "string", true}};
constexpr ServiceParameter kConnectionParameters[] = {
    {"Name", "string", true, "unique"},
    {"AuthorizationType", "string", true, "BASIC, API_KEY, OAUTH_CLIENT_CREDENTIALS"},
    {"AuthParameters", "object", true, "of that type; InvocationHttpParameters are added to each request"},
    {"Description", "string", false, "for people"},
};
constexpr ServiceParameter kConnectionChanges[] = {
    {"Name", "string", true},
    {"AuthorizationType", "string", false, "another one needs all of its AuthParameters"},
    {"AuthParameters", "object", false, "members that change"},
    {"Description", "string", false, "for people"},
};
constexpr ServiceParameter kListConnectionsParameters[] = {
    {"NamePrefix", "string", false},
    {"ConnectionState", "string", false},
    {"Limit", "number", false, "100; at most that"},
    {"NextToken", "string", false, "of the page before"},
};
constexpr ServiceParameter kPublishParameters[] = {
    {"TopicArn", "string", true, "of createTopic; region and account make no difference"},
    {"Message", "any", true, "text; an object goes out as its JSON text"},
    {"Subject", "string", false, "of mail"},
    {"MessageStructure", "string", false, "json: Message has an entry per protocol, and default"},
    {"MessageAttributes", "object", false, "name: DataType and StringValue; what filter policies look at"},
};
constexpr ServiceParameter kPublishBatchParameters[] = {
    {"TopicArn", "string", true},
    {"PublishBatchRequestEntries", "array", true, "up to 10: Id and what publish takes"},
};
constexpr ServiceParameter kTopicName[] = {
    {"Name", "string", true, "unique; creating it again changes nothing"}};
constexpr ServiceParameter kTopicArn[] = {{"TopicArn", "string", true}};
constexpr ServiceParameter kNextToken[] = {{"NextToken", "string", false, "of the page before"}};
constexpr ServiceParameter kTopicPage[] = {{"TopicArn", "string", true},
                                           {"NextToken", "string", false, "of the page before"}};
constexpr ServiceParameter kSubscriptionArn[] = {{"SubscriptionArn", "string", true}};
constexpr ServiceParameter kSubscribeParameters[] = {
    {"TopicArn", "string", true},
    {"Protocol", "string", true, "http, https, email, email-json, lambda, sqs, file"},
    {"Endpoint", "string", true, "a URL, an address, an ARN, a file of HOME/notifications"},
    {"Attributes", "map", false, "FilterPolicy, FilterPolicyScope, RawMessageDelivery"},
};
constexpr ServiceParameter kSubscriptionAttribute[] = {{"SubscriptionArn", "string", true},
                                                       {"AttributeName", "string", true},
                                                       {"AttributeValue", "string", false}};
constexpr ServiceParameter kFunctionName[] = {{"FunctionName", "string", true, "name or ARN"}};

// clang-format off
const TaskKind kServices[] = {
    {"cloudwatch", "deleteAlarms", "Deletes alarms", false, false, kAlarmNames, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "describeAlarmHistory", "What became of alarms", false, false, kAlarmHistoryParameters, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "describeAlarms", "Alarms and how they stand", false, false, kDescribeAlarmsParameters, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "describeAlarmsForMetric", "The alarms that watch a metric", false, false, kAlarmsForMetricParameters, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "disableAlarmActions", "Alarms tell nobody any more", false, false, kAlarmNames, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "enableAlarmActions", "Alarms tell again", false, false, kAlarmNames, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "getMetricData", "Metrics and expressions over them", false, false, kMetricDataParameters, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "getMetricStatistics", "Statistics of one metric", false, false, kMetricName, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "listMetrics", "Metrics with values of the last two weeks, in pages", false, false, kListMetricsParameters, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "listTagsForResource", "An alarm's tags", false, false, kAlarmTagParameters, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "putCompositeAlarm", "An alarm over others", false, false, kCompositeParameters, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "putMetricAlarm", "An alarm over a metric or an expression", false, false, kAlarmParameters, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "putMetricData", "Values of metrics", false, false, kPutMetricParameters, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "setAlarmState", "Puts an alarm into a state, until it is evaluated", false, false, kSetAlarmParameters, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "tagResource", "Adds tags to an alarm", false, false, kAlarmTagParameters, nullptr, false, begin_cloudwatch},
    {"cloudwatch", "untagResource", "Removes tags of an alarm", false, false, kAlarmTagParameters, nullptr, false, begin_cloudwatch},
    {"dynamodb", "batchGetItem", "Up to 100 items by their keys", false, false, kBatchItemsParameters, nullptr, false, begin_dynamodb},
    {"dynamodb", "batchWriteItem", "Puts and deletes up to 25 items", false, false, kBatchItemsParameters, nullptr, false, begin_dynamodb},
    {"dynamodb", "createTable", "Makes a table with its keys and indexes", false, false, kCreateTableParameters, nullptr, false, begin_dynamodb},
    {"dynamodb", "deleteItem", "Deletes an item", true, false, kDeleteItemParameters, nullptr, false, begin_dynamodb},
    {"dynamodb", "deleteTable", "Deletes a table and all of its items", false, false, kTableName, nullptr, false, begin_dynamodb},
    {"dynamodb", "describeTable", "A table's keys, indexes and size", false, false, kTableName, nullptr, false, begin_dynamodb},
    {"dynamodb", "getItem", "An item by its key", true, false, kGetItemParameters, nullptr, false, begin_dynamodb},
    {"dynamodb", "listTables", "Names of tables, in pages", false, false, kListTablesParameters, nullptr, false, begin_dynamodb},
    {"dynamodb", "putItem", "Writes a whole item", true, false, kPutItemParameters, nullptr, false, begin_dynamodb},
    {"dynamodb", "query", "Items of one partition, in order of the range key", false, false, kQueryParameters, nullptr, false, begin_dynamodb},
    {"dynamodb", "scan", "All items of a table or index, in pages", false, false, kScanParameters, nullptr, false, begin_dynamodb},
    {"dynamodb", "transactGetItems", "Up to 100 items as of one moment", false, false, kTransactParameters, nullptr, false, begin_dynamodb},
    {"dynamodb", "transactWriteItems", "Up to 100 writes, all or none", false, false, kTransactWriteParameters, nullptr, false, begin_dynamodb},
    {"dynamodb", "updateItem", "Changes attributes of an item", true, false, kUpdateItemParameters, nullptr, false, begin_dynamodb},
    {"eventbridge", "createConnection", "Keeps how requests of HTTP tasks are authorized", false, false, kConnectionParameters, create_connection},
    {"eventbridge", "deleteConnection", "Deletes a connection with its secrets", false, false, kConnectionName, delete_connection},
    {"eventbridge", "describeConnection", "A connection's record without its secrets", false, false, kConnectionName, describe_connection},
    {"eventbridge", "listConnections", "Connections by name, in pages", false, false, kListConnectionsParameters, list_connections},
    {"eventbridge", "putEvents", "Puts events on a bus; wrong ones fail alone", false, false, kPutEventsParameters, put_events},
    {"eventbridge", "updateConnection", "Changes a connection", false, false, kConnectionChanges, update_connection},
    {"events", "putEvents", "Puts events on a bus; fails when one of them does", true, false, kPutEventsParameters, put_events, true},
    {"kinesis", "putRecord", "Puts a record into a stream", false, false, kStreamRecordParameters, nullptr, false, begin_kinesis},
    {"kinesis", "putRecords", "Puts up to 500 records into a stream", false, false, kStreamRecordsParameters, nullptr, false, begin_kinesis},
    {"lambda", "getFunction", "A function's configuration", false, false, kFunctionName, get_function},
    {"lambda", "invoke", "Runs a function of HOME/functions", true, false, kInvokeFunctionParameters, invoke_function},
    {"lambda", "listFunctions", "The configurations of all functions", false, false, {}, list_functions},
    {"s3", "copyObject", "Copies an object", false, false, kCopyObjectParameters, s3_copy_object},
    {"s3", "createBucket", "Makes a bucket", false, false, kBucketParameters, s3_create_bucket},
    {"s3", "deleteBucket", "Deletes an empty bucket", false, false, kBucketParameters, s3_delete_bucket},
    {"s3", "deleteObject", "Deletes an object", false, false, kObjectParameters, s3_delete_object},
    {"s3", "deleteObjects", "Deletes up to 1000 objects", false, false, kDeleteObjectsParameters, s3_delete_objects},
    {"s3", "getObject", "An object's content", false, false, kGetObjectParameters, s3_get_object},
    {"s3", "getObjectAttributes", "An object's size and digest", false, false, kObjectAttributesParameters, s3_get_object_attributes},
    {"s3", "headBucket", "Whether there is such a bucket", false, false, kBucketParameters, s3_head_bucket},
    {"s3", "headObject", "An object's size, time and digest", false, false, kObjectParameters, s3_head_object},
    {"s3", "listBuckets", "All buckets", false, false, {}, s3_list_buckets},
    {"s3", "listObjects", "The objects below a prefix, in pages by Marker", false, false, kListObjectsV1Parameters, s3_list_objects_v1},
    {"s3", "listObjectsV2", "The objects below a prefix, in pages", false, false, kListObjectsParameters, s3_list_objects},
    {"s3", "putObject", "Writes an object", false, false, kPutObjectParameters, s3_put_object},
    {"sqs", "changeMessageVisibility", "When a received message is visible again", false, false, kVisibilityParameters, nullptr, false, begin_sqs},
    {"sqs", "changeMessageVisibilityBatch", "The same for up to 10", false, false, kBatchEntriesParameters, nullptr, false, begin_sqs},
    {"sqs", "createQueue", "Makes a queue", false, false, kCreateQueueParameters, nullptr, false, begin_sqs},
    {"sqs", "deleteMessage", "Deletes a message that was received", false, false, kReceiptParameters, nullptr, false, begin_sqs},
    {"sqs", "deleteMessageBatch", "The same for up to 10", false, false, kBatchEntriesParameters, nullptr, false, begin_sqs},
    {"sqs", "deleteQueue", "Deletes a queue and its messages", false, false, kQueueUrl, nullptr, false, begin_sqs},
    {"sqs", "getQueueAttributes", "A queue's settings and numbers of messages", false, false, kQueueAttributesParameters, nullptr, false, begin_sqs},
    {"sqs", "getQueueUrl", "The URL of a queue", false, false, kQueueName, nullptr, false, begin_sqs},
    {"sqs", "listDeadLetterSourceQueues", "Queues that send their dead letters to this one", false, false, kQueueUrl, nullptr, false, begin_sqs},
    {"sqs", "listQueueTags", "A queue's tags", false, false, kQueueUrl, nullptr, false, begin_sqs},
    {"sqs", "listQueues", "URLs of queues, in pages", false, false, kListQueuesParameters, nullptr, false, begin_sqs},
    {"sqs", "purgeQueue", "Deletes all messages of a queue", false, false, kQueueUrl, nullptr, false, begin_sqs},
    {"sqs", "receiveMessage", "Up to 10 messages, hidden from others for a while", false, false, kReceiveParameters, nullptr, false, begin_sqs},
    {"sqs", "sendMessage", "Sends a message", true, false, kSendParameters, nullptr, true, begin_sqs},
    {"sqs", "sendMessageBatch", "Sends up to 10 messages", false, false, kBatchEntriesParameters, nullptr, false, begin_sqs},
    {"sqs", "setQueueAttributes", "Changes a queue's settings", false, false, kSetQueueParameters, nullptr, false, begin_sqs},
    {"sqs", "tagQueue", "Adds tags", false, false, kTagQueueParameters, nullptr, false, begin_sqs},
    {"sqs", "untagQueue", "Removes tags", false, false, kUntagQueueParameters, nullptr, false, begin_sqs},
    {"sns", "createTopic", "Makes a topic", false, false, kTopicName, sns_create_topic},
    {"sns", "deleteTopic", "Deletes a topic, its subscriptions and what waits for them", false, false, kTopicArn, sns_delete_topic},
    {"sns", "getSubscriptionAttributes", "A subscription's attributes", false, false, kSubscriptionArn, sns_get_subscription_attributes},
    {"sns", "getTopicAttributes", "A topic's attributes", false, false, kTopicArn, sns_get_topic_attributes},
    {"sns", "listSubscriptions", "All subscriptions, in pages", false, false, kNextToken, sns_list_subscriptions},
    {"sns", "listSubscriptionsByTopic", "A topic's subscriptions, in pages", false, false, kTopicPage, sns_list_subscriptions_by_topic},
    {"sns", "listTopics", "Topics by name, in pages", false, false, kNextToken, sns_list_topics},
    {"sns", "publish", "Sends a message to a topic's subscribers", true, false, kPublishParameters, sns_publish, true},
    {"sns", "publishBatch", "Sends up to 10 messages; wrong ones fail alone", false, false, kPublishBatchParameters, sns_publish_batch},
    {"sns", "setSubscriptionAttributes", "Changes an attribute of a subscription", false, false, kSubscriptionAttribute, sns_set_subscription_attributes},
    {"sns", "subscribe", "Sends a topic's messages to an endpoint", false, false, kSubscribeParameters, sns_subscribe},
    {"sns", "unsubscribe", "Ends a subscription", false, false, kSubscriptionArn, sns_unsubscribe},
};
// clang-format on

}  // namespace

std::span<const TaskKind> service_kinds() {
  return kServices;
}

}  // namespace millrace::tasks
