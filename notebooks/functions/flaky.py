"""A Lambda function that fails as its input says: attempt 0 with the first error, and so on."""


def lambda_handler(event, _context):
    errors, attempt = event["errors"], event["attempt"]
    if attempt < len(errors):
        raise type(errors[attempt], (Exception,), {})(f"attempt {attempt + 1} failed")
    return {**event, "worked": f"at attempt {attempt + 1}"}
