"""Services as clients and a takeover need them."""

from support.bad_engines import source
from support.manifests import everything, validated


def test_a_service_sends_to_its_port_by_number() -> None:
    """The pods of a hand-written Deployment that is taken over have no port of our names."""
    built = everything(validated({"dataSources": [source()]}))
    ports = [port for item in built if item["kind"] == "Service" for port in item["spec"]["ports"]]
    assert len(ports) == 3
    assert [port["targetPort"] for port in ports] == [port["port"] for port in ports]
