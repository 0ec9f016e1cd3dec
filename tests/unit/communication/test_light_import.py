import subprocess
import sys


def test_importing_the_package_loads_neither_fastapi_nor_paho() -> None:
    code = (
        "import sys; from pdsno.communication import MessageType; "
        "heavy = {'fastapi', 'paho', 'uvicorn', 'requests', 'pydantic'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
