"""A function as OpenFaaS's python3-http template has it (lang: python3-http).

  curl -d 'some text' 'http://127.0.0.1:8080/function/python-http?shout=yes'
"""


def handle(event, context):
    text = event.body.decode("utf-8", errors="replace")  # the body is bytes, exactly as they were sent
    if event.query.get("shout") == "yes":
        text = text.upper()
    # A dict is a whole answer; a plain str would be a 200 with that text.
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": {"text": text, "length": len(event.body), "host": context.hostname},
    }
