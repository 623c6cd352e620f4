"""The price of an item; what is not sold raises."""

PRICES = {"apple": 120, "pear": 90, "quince": 210}


class NotSold(Exception):
    pass


def handler(event, context):
    item = event["item"]
    print("asked for", item, "by request", context.aws_request_id)
    if item not in PRICES:
        raise NotSold(f"we don't sell {item}")
    return {"item": item, "cents": PRICES[item] * event.get("count", 1)}
