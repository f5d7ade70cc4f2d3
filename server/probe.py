"""Ask a server on this machine whether it is well: `python -m penchant.server.probe PORT` ends with 0 or 1."""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


def well(port: int) -> bool:
    """Whether the health service says SERVING within five seconds."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(not well(int(sys.argv[1])))
